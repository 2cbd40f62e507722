//! The session cookie: reading candidates out of a request, writing the answer's `Set-Cookie`.
//!
//! Parsed by hand, because a request pays for it every time: no allocation, one pass over the header. What is not a
//! plausible session id is treated as no cookie. The fixed part of `Set-Cookie` is built once, when the layer is
//! configured, so a setting that cannot be written is an error there and never at run time.

use http::header::{COOKIE, HeaderMap, HeaderValue};

use crate::SessionError;

/// Longest id that a cookie may carry; 32 hexadecimal digits and a route are far below it.
const ID_MAX: usize = 256;
/// Cookies of our name that are looked at in one request. A browser sends two when two paths match.
const CANDIDATES_MAX: usize = 8;

/// When a browser sends the session cookie along with requests that another site caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// Only with requests of this site itself.
    Strict,
    /// Also when the user follows a link to this site.
    Lax,
    /// Always; browsers then demand `Secure`.
    None,
}

/// Name and attributes of the session cookie.
#[derive(Clone, Debug)]
pub(crate) struct CookieSettings {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
    pub(crate) http_only: bool,
    pub(crate) secure: bool,
    pub(crate) same_site: Option<SameSite>,
    /// `; Path=…; HttpOnly`, rebuilt by every setter.
    attributes: String,
}

impl Default for CookieSettings {
    fn default() -> Self {
        let mut settings = Self {
            name: "JSESSIONID".into(),
            path: "/".into(),
            domain: None,
            http_only: true,
            secure: false,
            same_site: None,
            attributes: String::new(),
        };
        settings.rebuild();
        settings
    }
}

impl CookieSettings {
    pub(crate) fn set_name(&mut self, name: String) -> Result<(), SessionError> {
        let token = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte));
        if !token {
            return Err(SessionError::CookieSetting { setting: "name", value: name });
        }
        self.name = name;
        Ok(())
    }

    pub(crate) fn set_path(&mut self, path: String) -> Result<(), SessionError> {
        if !path.starts_with('/') || !attribute_value(&path) {
            return Err(SessionError::CookieSetting { setting: "path", value: path });
        }
        self.path = path;
        self.rebuild();
        Ok(())
    }

    pub(crate) fn set_domain(&mut self, domain: String) -> Result<(), SessionError> {
        let plausible = !domain.is_empty()
            && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
        if !plausible {
            return Err(SessionError::CookieSetting { setting: "domain", value: domain });
        }
        self.domain = Some(domain);
        self.rebuild();
        Ok(())
    }

    /// The attributes that have no invalid value: `HttpOnly`, `Secure`, `SameSite`.
    pub(crate) fn set_flags(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        self.rebuild();
    }

    // Tomcat: Rfc6265CookieProcessor.generateHeader: Domain, Path, Secure, HttpOnly, SameSite in this order.
    fn rebuild(&mut self) {
        let mut text = String::new();
        if let Some(domain) = &self.domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        text.push_str("; Path=");
        text.push_str(&self.path);
        if self.secure {
            text.push_str("; Secure");
        }
        if self.http_only {
            text.push_str("; HttpOnly");
        }
        text.push_str(match self.same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        });
        self.attributes = text;
    }

    /// `Set-Cookie` that gives the browser this id.
    pub(crate) fn setting(&self, id: &str) -> HeaderValue {
        self.header(id, "")
    }

    /// `Set-Cookie` that makes the browser forget its id.
    // Differs from Tomcat: it leaves the cookie of an invalidated session with the browser, which then sends a dead id
    // with every request. Test: invalidation_ends_the_session_and_its_cookie.
    pub(crate) fn removal(&self) -> HeaderValue {
        self.header("", "; Max-Age=0")
    }

    fn header(&self, id: &str, before: &str) -> HeaderValue {
        let mut text = String::with_capacity(self.name.len() + 1 + id.len() + before.len() + self.attributes.len());
        for part in [&self.name, "=", id, before, &self.attributes] {
            text.push_str(part);
        }
        HeaderValue::try_from(text).expect("name and attributes were checked when set, ids are hexadecimal and a route")
    }

    /// The ids that the request offers, in the order of the header: the browser sends the most specific path first.
    pub(crate) fn candidates<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                (name.trim() == self.name).then(|| unquoted(value.trim()))
            })
            .filter(|id| plausible_id(id))
            .take(CANDIDATES_MAX)
    }
}

/// A cookie value may come in double quotes (RFC 6265, section 4.1.1).
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// Characters that a cookie value may have, and a bounded length.
fn plausible_id(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte))
}

/// An attribute value of `Set-Cookie`: visible ASCII without the separator.
fn attribute_value(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(headers: &[&'static str]) -> Vec<String> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(COOKIE, HeaderValue::from_static(header));
        }
        CookieSettings::default().candidates(&map).map(str::to_owned).collect()
    }

    #[test]
    fn ids_are_found_among_other_cookies() {
        let check = |headers: &[&'static str], expect: &[&str]| assert_eq!(candidates(headers), expect, "{headers:?}");
        check(&[], &[]);
        check(&["JSESSIONID=A"], &["A"]);
        check(&["a=b; JSESSIONID=AB.n1; c=d"], &["AB.n1"]);
        check(&["a=b;JSESSIONID=\"Q\""], &["Q"]);
        check(&["JSESSIONID=A; JSESSIONID=B", "JSESSIONID=C"], &["A", "B", "C"]);
        check(&["jsessionid=A; XJSESSIONID=B; JSESSIONID2=C; JSESSIONID"], &[]);
        check(&["JSESSIONID=; JSESSIONID=a b; JSESSIONID=a\\b"], &[]);
        check(&["x=JSESSIONID=A"], &[]);
    }

    #[test]
    fn candidates_and_their_length_are_bounded() {
        let many: &'static str = "JSESSIONID=A; ".repeat(100).leak();
        assert_eq!(candidates(&[many]).len(), CANDIDATES_MAX);
        let long: &'static str = format!("JSESSIONID={}", "A".repeat(ID_MAX + 1)).leak();
        assert!(candidates(&[long]).is_empty());
    }

    #[test]
    fn set_cookie_has_the_attributes_in_tomcats_order() {
        let mut settings = CookieSettings::default();
        assert_eq!(settings.setting("AB.n1"), "JSESSIONID=AB.n1; Path=/; HttpOnly");
        assert_eq!(settings.removal(), "JSESSIONID=; Max-Age=0; Path=/; HttpOnly");
        settings.set_name("sid".into()).unwrap();
        settings.set_path("/app".into()).unwrap();
        settings.set_domain("example.org".into()).unwrap();
        settings.set_flags(|it| (it.secure, it.same_site) = (true, Some(SameSite::Lax)));
        let expected = "sid=A; Domain=example.org; Path=/app; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(settings.setting("A"), expected);
        settings.set_flags(|it| (it.http_only, it.same_site) = (false, Some(SameSite::Strict)));
        assert_eq!(settings.setting("A"), "sid=A; Domain=example.org; Path=/app; Secure; SameSite=Strict");
    }

    #[test]
    fn settings_that_would_break_the_header_are_refused() {
        let mut settings = CookieSettings::default();
        for name in ["", "a b", "a;b", "a=b", "ä"] {
            assert!(settings.set_name(name.into()).is_err(), "{name:?}");
        }
        for path in ["", "app", "/a;b", "/a\r\nx", "/ä"] {
            assert!(settings.set_path(path.into()).is_err(), "{path:?}");
        }
        for domain in ["", "a b", "a;b", "a\n"] {
            assert!(settings.set_domain(domain.into()).is_err(), "{domain:?}");
        }
        assert_eq!(settings.setting("A"), "JSESSIONID=A; Path=/; HttpOnly");
    }
}
