//! Descriptors of JDK classes: name, id, flags, superclass and fields as Java 17 writes them.
//!
//! Plain data; which of a class's contents mean what is known to `shape` and `ser`.

use crate::descriptor::ClassDescriptor;
use std::collections::HashMap;

/// `name id flags superclass fields…`; `-` for no superclass. A superclass stands before its subclasses.
const TABLE: &str = "\
java.lang.Number 86ac951d0b94e08b 2 -
java.lang.Integer 12e2a0a4f7818738 2 java.lang.Number I:value
java.lang.Long 3b8be490cc8f23df 2 java.lang.Number J:value
java.lang.Short 684d37133460da52 2 java.lang.Number S:value
java.lang.Byte 9c4e6084ee50f51c 2 java.lang.Number B:value
java.lang.Float daedc9a2db3cf0ec 2 java.lang.Number F:value
java.lang.Double 80b3c24a296bfb04 2 java.lang.Number D:value
java.lang.Character 348b47d96b1a2678 2 - C:value
java.lang.Boolean cd207280d59cfaee 2 - Z:value
java.lang.Enum 0000000000000000 18 -
java.math.BigInteger 8cfc9f1fa93bfb1d 3 java.lang.Number I:bitCount I:bitLength I:firstNonzeroByteNum I:lowestSetBit I:signum [B:magnitude
java.math.BigDecimal 54c71557f981284f 3 java.lang.Number I:scale Ljava/math/BigInteger;:intVal
java.util.Date 686a81014b597419 3 -
java.sql.Timestamp 2618d5c80153bf65 2 java.util.Date I:nanos
java.sql.Date 14fa46683f356697 2 java.util.Date
java.util.UUID bc9903f7986d852f 2 - J:leastSigBits J:mostSigBits
java.util.Locale 7ef811609c30f9ec 3 - I:hashcode Ljava/lang/String;:country Ljava/lang/String;:extensions Ljava/lang/String;:language Ljava/lang/String;:script Ljava/lang/String;:variant
java.util.Currency fdcd934a5911a91f 2 - Ljava/lang/String;:currencyCode
java.net.URI ac01782e439e49ab 3 - Ljava/lang/String;:string
java.net.URL 962537361afce472 3 - I:hashCode I:port Ljava/lang/String;:authority Ljava/lang/String;:file Ljava/lang/String;:host Ljava/lang/String;:protocol Ljava/lang/String;:ref
java.net.InetAddress 2d9b57af9fe3ebdb 3 - I:address I:family Ljava/lang/String;:hostName
java.util.concurrent.atomic.AtomicInteger 563f5ecc8c6c168a 2 java.lang.Number I:value
java.util.concurrent.atomic.AtomicLong 1ac0fab477001718 2 java.lang.Number J:value
java.util.concurrent.atomic.AtomicBoolean 4098b70a4f3ffc33 2 - I:value
java.util.concurrent.atomic.AtomicReference e65771d4557854c6 2 - Ljava/lang/Object;:value
java.lang.StringBuilder 3cd5fb145a4c6acb 3 -
java.lang.StringBuffer 2f0707d9eac8ead3 3 - I:count Z:shared [C:value
java.util.BitSet 6efd887e3934ab21 3 - [J:bits
java.util.regex.Pattern 4667d56b6e49020d 2 - I:flags Ljava/lang/String;:pattern
java.io.File 042da4450e0de4ff 3 - Ljava/lang/String;:path
[B acf317f8060854e0 2 -
[C b02666b0e25d84ac 2 -
[D 3ea68c14ab635a1e 2 -
[F 0b9c818922e00c42 2 -
[I 4dba602676eab2a5 2 -
[J 782004b512b17593 2 -
[S ef832e06e55db0fa 2 -
[Z 578f203914b85de2 2 -
[Ljava.lang.String; add256e7e91d7b47 2 -
[Ljava.lang.Object; 90ce589f1073296c 2 -
[Ljava.lang.Integer; fe97ada00183e21b 2 -
[Ljava.lang.Enum; a88dea2d33d22f98 2 -
[Ljava.lang.StackTraceElement; 02462a3c3cfd2239 2 -
java.util.ArrayList 7881d21d99c7619d 3 - I:size
java.util.LinkedList 0c29535d4a608822 3 -
java.util.ArrayDeque 207cda2e240da08b 3 -
java.util.PriorityQueue 94da30b4fb3f82b1 3 - I:size Ljava/util/Comparator;:comparator
java.util.Vector d9977d5b803baf01 3 - I:capacityIncrement I:elementCount [Ljava/lang/Object;:elementData
java.util.Stack 10fe2ac2bb09861d 2 java.util.Vector
java.util.concurrent.CopyOnWriteArrayList 785d9fd546ab90c3 3 -
java.util.concurrent.ConcurrentLinkedQueue 02bafb2a664c708c 3 -
java.util.Arrays$ArrayList d9a43cbecd8806d2 2 - [Ljava/lang/Object;:a
java.util.HashMap 0507dac1c31660d1 3 - F:loadFactor I:threshold
java.util.LinkedHashMap 34c04e5c106cc0fb 2 java.util.HashMap Z:accessOrder
java.util.Hashtable 13bb0f25214ae4b8 3 - F:loadFactor I:threshold
java.util.Properties 3912d07a70363e98 2 java.util.Hashtable Ljava/util/Properties;:defaults
java.util.TreeMap 0cc1f63e2d256ae6 3 - Ljava/util/Comparator;:comparator
java.util.HashSet ba44859596b8b734 3 -
java.util.LinkedHashSet d86cd75a95dd2a1e 2 java.util.HashSet
java.util.TreeSet dd98509395ed875b 3 -
java.util.IdentityHashMap 71a2650133f2e980 3 - I:size
java.util.EnumMap 065d7df7be907ca1 3 - Ljava/lang/Class;:keyType
java.util.EnumSet$SerializationProxy 0507d3db7654cad1 2 - Ljava/lang/Class;:elementType [Ljava/lang/Enum;:elements
java.util.concurrent.ConcurrentHashMap 6499de129d87293d 3 - I:segmentMask I:segmentShift [Ljava/util/concurrent/ConcurrentHashMap$Segment;:segments
java.util.concurrent.ConcurrentSkipListMap 884675ae061146a7 3 - Ljava/util/Comparator;:comparator
java.util.AbstractMap$SimpleEntry 8a0aeca5fc56801f 2 - Ljava/lang/Object;:key Ljava/lang/Object;:value
java.util.Collections$EmptyList 7ab817b43ca79ede 2 -
java.util.Collections$EmptyMap 593614855adce7d0 2 -
java.util.Collections$EmptySet 15f5721db403cb28 2 -
java.util.Collections$SingletonList 2aef29103ca79b97 2 - Ljava/lang/Object;:element
java.util.Collections$SingletonSet 2c52419829c0b1bf 2 - Ljava/lang/Object;:element
java.util.Collections$SingletonMap 9f230991717f6b91 2 - Ljava/lang/Object;:k Ljava/lang/Object;:v
java.util.Collections$CopiesList 26033c45b17003f8 2 - I:n Ljava/lang/Object;:element
java.util.Collections$UnmodifiableCollection 19420080cb5ef71e 2 - Ljava/util/Collection;:c
java.util.Collections$UnmodifiableList fc0f2531b5ec8e10 2 java.util.Collections$UnmodifiableCollection Ljava/util/List;:list
java.util.Collections$UnmodifiableSet 801d92d18f9b8055 2 java.util.Collections$UnmodifiableCollection
java.util.Collections$UnmodifiableMap f1a5a8fe74f50742 2 - Ljava/util/Map;:m
java.util.Collections$UnmodifiableSortedMap 85c82928d3a5d70a 2 java.util.Collections$UnmodifiableMap Ljava/util/SortedMap;:sm
java.util.Collections$SynchronizedCollection 2a61f84d099c99b5 3 - Ljava/util/Collection;:c Ljava/lang/Object;:mutex
java.util.Collections$SynchronizedList 9463efe38344107c 2 java.util.Collections$SynchronizedCollection Ljava/util/List;:list
java.util.Collections$SynchronizedMap 1b73f9094b4b397b 3 - Ljava/util/Map;:m Ljava/lang/Object;:mutex
java.util.Collections$ReverseComparator 64048af0534e4ad0 2 -
java.lang.String$CaseInsensitiveComparator 77035c7d5c50e5ce 2 -
java.util.CollSer 578eabb63a1ba811 3 - I:tag
java.time.Ser 955d84ba1b2248b2 12 -
java.lang.StackTraceElement 6109c59a2636dd85 2 - B:format I:lineNumber Ljava/lang/String;:classLoaderName Ljava/lang/String;:declaringClass Ljava/lang/String;:fileName Ljava/lang/String;:methodName Ljava/lang/String;:moduleName Ljava/lang/String;:moduleVersion
java.lang.Throwable d5c635273977b8cb 3 - Ljava/lang/Throwable;:cause Ljava/lang/String;:detailMessage [Ljava/lang/StackTraceElement;:stackTrace Ljava/util/List;:suppressedExceptions
java.lang.Exception d0fd1f3e1a3b1cc4 2 java.lang.Throwable
java.lang.RuntimeException 9e5f06470a3483e5 2 java.lang.Exception
";

pub(crate) fn descriptors() -> HashMap<&'static str, ClassDescriptor> {
    let mut classes: HashMap<&'static str, ClassDescriptor> = HashMap::new();
    for line in TABLE.lines() {
        let mut columns = line.split(' ');
        let mut next = || columns.next().expect("each line has four columns");
        let (name, suid, flags, superclass) = (next(), next(), next(), next());
        let suid = u64::from_str_radix(suid, 16).expect("ids are in hex") as i64;
        let flags = flags.parse().expect("flags are a number");
        let fields: Vec<_> = columns.map(|field| field.rsplit_once(':').expect("signature:name")).collect();
        let class = ClassDescriptor::new(name, suid, flags, &fields, classes.get(superclass));
        classes.insert(name, class);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Limits, Value};
    use std::collections::BTreeSet;

    /// Of these no stream of Java's is at hand; their ids come from running classes.
    const WITHOUT_VECTOR: [&str; 10] = [
        "java.io.File",
        "java.lang.Character",
        "java.lang.Short",
        "java.lang.StringBuffer",
        "java.util.AbstractMap$SimpleEntry",
        "java.util.Collections$SingletonList",
        "java.util.IdentityHashMap",
        "java.util.LinkedHashSet",
        "java.util.concurrent.atomic.AtomicBoolean",
        "java.util.concurrent.atomic.AtomicLong",
    ];

    /// The descriptors in Java's streams, each as a stream of its own.
    fn of_vectors() -> Vec<(String, Vec<u8>)> {
        let vectors = include_str!("../../../vectors/java-serialization.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let mut found = Vec::new();
        for vector in vectors["vectors"].as_array().unwrap() {
            let bytes = hex::decode(vector["hex"].as_str().unwrap()).unwrap();
            let document = Document::parse(bytes, &Limits::default()).unwrap();
            for desc in &document.graph.descs {
                let Value::Descriptor(class) = document.value(desc.node) else { panic!("no descriptor") };
                found.push((class.name().to_str_lossy().into_owned(), document.cut(desc.node).unwrap().to_vec()));
            }
        }
        found
    }

    #[test]
    fn descriptors_are_those_that_java_writes() {
        let table = descriptors();
        let mut without: BTreeSet<&str> = table.keys().copied().collect();
        for (name, java) in of_vectors() {
            if let Some(class) = table.get(name.as_str()) {
                assert_eq!(hex::encode(&class.stream), hex::encode(java), "{name}");
                without.remove(name.as_str());
            }
        }
        assert_eq!(without, BTreeSet::from(WITHOUT_VECTOR));
    }

    #[test]
    fn fields_stand_in_javas_order() {
        for class in descriptors().values() {
            let document = Document::parse(class.stream.clone(), &Limits::default()).unwrap();
            let Value::Descriptor(class) = document.value(document.root().unwrap()) else { panic!("no descriptor") };
            let fields: Vec<_> = class.fields().map(|f| (f.signature.is_some(), f.name.as_bytes().to_vec())).collect();
            assert!(fields.is_sorted(), "{class:?}");
        }
    }
}
