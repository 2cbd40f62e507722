//! Members as Java objects, as they stand inside of other objects: a member record in the external data of
//! `MemberImpl` or `StaticMember`.
//!
//! The id of `MemberImpl` changed between releases of Tomcat while its layout did not, and a Java reader refuses an id
//! that is not its own. So any id is read, and what is written by default names no class whose id ever changed.

use std::sync::LazyLock;

use java_object_stream::{ClassDescriptor, Document, NodeId, Value, Writer};

use super::object_error::{read_field, write_field};
use super::{Limits, Member, ObjectError, ObjectErrorKind as Kind};

const IMPL: &str = "org.apache.catalina.tribes.membership.MemberImpl";
const STATIC: &str = "org.apache.catalina.tribes.membership.StaticMember";
/// The same in every release from 9.0.0 on.
const STATIC_ID: i64 = -6_690_656_311_635_953_503;
/// Of `MemberImpl` in 10.1.40 and later.
const IMPL_ID: i64 = -8_901_659_902_996_040_089;

/// The Java class of a member, with the ids that its writer's release has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MemberClass {
    /// `MemberImpl`.
    Impl {
        /// Its serialVersionUID.
        id: i64,
    },
    /// `StaticMember` with `MemberImpl` as its superclass, as Java writes it.
    Static {
        /// serialVersionUID of `MemberImpl`.
        parent_id: i64,
    },
    /// `StaticMember` without a superclass, which every release of Tomcat reads.
    #[default]
    StaticAlone,
}

impl MemberClass {
    /// `MemberImpl` of current releases.
    pub const IMPL: MemberClass = MemberClass::Impl { id: IMPL_ID };
    /// `StaticMember` of current releases.
    pub const STATIC: MemberClass = MemberClass::Static { parent_id: IMPL_ID };

    fn of(object: java_object_stream::Object<'_>) -> Option<MemberClass> {
        let class = object.class();
        if class.is(IMPL) {
            return Some(MemberClass::Impl { id: class.suid() });
        }
        if !class.is(STATIC) {
            return None;
        }
        Some(match class.superclass() {
            Some(parent) => MemberClass::Static { parent_id: parent.suid() },
            None => MemberClass::StaticAlone,
        })
    }

    fn descriptor(self) -> ClassDescriptor {
        let external = ClassDescriptor::EXTERNALIZABLE;
        let parent = |id| ClassDescriptor::new(IMPL, id, external, &[], None);
        match self {
            MemberClass::Impl { id } => parent(id),
            MemberClass::Static { parent_id } => {
                ClassDescriptor::new(STATIC, STATIC_ID, external, &[], Some(&parent(parent_id)))
            }
            MemberClass::StaticAlone => ClassDescriptor::new(STATIC, STATIC_ID, external, &[], None),
        }
    }
}

/// A member and the class of its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JavaMember {
    /// The record.
    pub member: Member,
    /// Its class.
    pub class: MemberClass,
}

impl JavaMember {
    /// In the form that every release of Tomcat reads.
    ///
    /// Differs from Tomcat: it writes the id that `MemberImpl` has in its own release, so that members of 10.1.39 and
    /// 10.1.40 refuse each other's messages. Test: a_member_is_written_in_the_form_that_every_release_reads.
    pub fn new(member: Member) -> JavaMember {
        JavaMember { member, class: MemberClass::StaticAlone }
    }

    /// Reads the object at `node`. Bytes behind the record are passed over, as Java does.
    ///
    /// # Errors
    /// It is null, an object of another class, or its record is malformed or exceeds `limits`.
    pub fn read(document: &Document, node: NodeId, limits: &Limits) -> Result<JavaMember, ObjectError> {
        let at = document.offset(node);
        let object = match document.value(node) {
            Value::Null => return Err(Kind::Missing("member").at(at)),
            Value::Object(object) => object,
            _ => return Err(Kind::NotA("member").at(at)),
        };
        let class = MemberClass::of(object).ok_or_else(|| Kind::NotA("member").at(at))?;
        let mut contents = object.contents().ok_or_else(|| Kind::Missing("member record").at(at))?;
        let record = read_field(&mut contents, "member record", limits.member_bytes_max)?;
        let member = Member::decode(&record, limits).map_err(|error| Kind::Member(error.kind).at(at))?;
        Ok(JavaMember { member, class })
    }

    /// Writes the object where `writer` stands.
    pub fn write(&self, writer: &mut Writer) {
        static ALONE: LazyLock<ClassDescriptor> = LazyLock::new(|| MemberClass::StaticAlone.descriptor());
        match self.class {
            MemberClass::StaticAlone => writer.begin_object(&ALONE),
            class => writer.begin_object(&class.descriptor()),
        };
        write_field(writer, &self.member.encode());
        let written = writer.end_object();
        debug_assert_eq!(written, Ok(()), "external data has any form");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::Value as Json;

    fn vectors(file: &str) -> Vec<(String, Bytes)> {
        let all: Json = serde_json::from_str(file).expect("JSON");
        let list = all.get("vectors").or(all.get("messages")).and_then(Json::as_array).expect("a list");
        let pair = |vector: &Json| {
            Some((vector["name"].as_str()?.to_owned(), hex::decode(vector["hex"].as_str()?).ok()?.into()))
        };
        list.iter().filter_map(pair).collect()
    }

    fn vector(name: &str) -> Bytes {
        let all = vectors(include_str!("../../../../vectors/java-serialization.json"));
        all.into_iter().find(|(found, _)| found == name).expect("the vector").1
    }

    fn read(stream: &Bytes) -> Result<JavaMember, ObjectError> {
        let document = Document::parse(stream.clone(), &java_object_stream::Limits::default())?;
        JavaMember::read(&document, document.root()?, &Limits::default())
    }

    fn written(member: &JavaMember) -> Bytes {
        let mut writer = Writer::new();
        member.write(&mut writer);
        writer.finish()
    }

    #[test]
    fn members_are_read_as_recorded_and_written_to_the_same_bytes() {
        for (name, class, port, domain) in [
            ("member_impl", MemberClass::IMPL, 4001, &b""[..]),
            ("static_member", MemberClass::STATIC, 4002, &b"dom"[..]),
        ] {
            let stream = vector(name);
            let member = read(&stream).expect(name);
            assert_eq!((member.class, member.member.id.port), (class, port), "{name}");
            assert_eq!(member.member.domain, domain, "{name}");
            assert_eq!(written(&member), stream, "{name}");
        }
    }

    #[test]
    fn a_member_is_written_in_the_form_that_every_release_reads() {
        // The same object as inside of the map message that eight releases read.
        let member = read(&vector("static_member")).expect("a member").member;
        let stream = written(&JavaMember::new(member));
        let all = vectors(include_str!("../../../../vectors/rpc-and-map.json"));
        let (_, message) = all.iter().find(|(name, _)| name == "map_backup_any_release").expect("the vector");
        let descriptor = &stream[4..stream.len() - 87];
        assert!(descriptor.ends_with(b"\x78\x70"), "no superclass");
        assert!(message.windows(descriptor.len()).any(|part| part == descriptor));
        assert_eq!(read(&stream).map(|member| member.class), Ok(MemberClass::StaticAlone));
    }

    #[test]
    fn an_id_of_another_release_is_read_and_kept() {
        let old = JavaMember {
            class: MemberClass::Impl { id: 6_004_750_745_337_223_678 },
            ..read(&vector("member_impl")).expect("a member")
        };
        assert_eq!(read(&written(&old)).map(|read| read.class), Ok(old.class));
    }

    #[test]
    fn what_is_no_member_is_refused() {
        let null = Bytes::from_static(b"\xac\xed\x00\x05\x70");
        assert_eq!(read(&null).unwrap_err().kind, Kind::Missing("member"));
        let text = Bytes::from_static(b"\xac\xed\x00\x05\x74\x00\x01x");
        assert_eq!(read(&text).unwrap_err().kind, Kind::NotA("member"));
        let stream = vector("member_impl");
        let document = Document::parse(stream, &java_object_stream::Limits::default()).expect("a stream");
        let limits = Limits { member_bytes_max: 76, ..Limits::default() };
        let error = JavaMember::read(&document, document.root().expect("one value"), &limits).unwrap_err();
        assert!(matches!(error.kind, Kind::OverLimit { length: 77, limit: 76, .. }), "{error}");
    }
}
