use std::time::Duration;

use super::*;

fn file(text: &str) -> (ChannelFile, Vec<String>) {
    parse("c.xml", text).unwrap()
}

fn refused(text: &str, says: &str) {
    let error = format!("{:#}", parse("c.xml", text).unwrap_err());
    assert!(error.contains(says), "{error}");
}

const INTERCEPTOR: &str = "org.apache.catalina.tribes.group.interceptors.";
const MCAST: &str = "org.apache.catalina.tribes.membership.McastService";

#[test]
fn the_channel_of_a_server_xml() {
    let (file, warnings) = file(&format!(
        r#"<Server><Service><Engine><Cluster className="x">
             <Channel className="org.apache.catalina.tribes.group.GroupChannel" optionCheck="true">
               <Membership className="{MCAST}" address="228.0.0.9" port="45565" frequency="100" domain="red"/>
               <Receiver className="x.NioReceiver" address="127.0.0.1" port="5000" autoBind="9"/>
               <Sender className="x"><Transport className="y" timeout="1500" maxRetryAttempts="3"/></Sender>
               <Interceptor className="{INTERCEPTOR}TcpFailureDetector" connectTimeout="250"/>
               <Interceptor className="{INTERCEPTOR}StaticMembershipInterceptor">
                 <LocalMember className="m" uniqueId="{{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}}"/>
                 <Member className="m" host="10.0.0.2" port="4000" uniqueId="{{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,-1}}"/>
                 <Member className="m" host="{{-64,0,2,1}}" Port="4001" uniqueId="{{1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}}"/>
               </Interceptor>
             </Channel>
           </Cluster></Engine></Service></Server>"#
    ));
    assert_eq!(warnings, Vec::<String>::new());
    let names: Vec<_> = file.chain.layers.iter().map(LayerConfig::name).collect();
    assert_eq!((&names[..], file.chain.option_check), (&["failure-detector", "static"][..], true));
    let members: Vec<String> = file.members.iter().map(Peer::to_string).collect();
    let expected = [format!("10.0.0.2:4000/{}ff", "00".repeat(15)), format!("192.0.2.1:4001/{}", "01".repeat(16))];
    assert_eq!(members, expected);
    assert_eq!(file.id.unwrap().to_string(), "0102030405060708090a0b0c0d0e0f10");
    assert_eq!(file.listen.as_deref(), Some("127.0.0.1:5000-5008"));
    let sender = &file.transport.sender;
    assert_eq!((sender.timeout, sender.max_retry_attempts), (Duration::from_millis(1500), 3));
    let multicast = format!("{:?}", file.multicast.unwrap());
    assert!(multicast.contains("228.0.0.9:45565") && multicast.contains("100ms"), "{multicast}");
}

#[test]
fn only_what_is_written_is_configured() {
    let (file, warnings) =
        file(&format!(r#"<Channel><Interceptor className="{INTERCEPTOR}OrderInterceptor"/></Channel>"#));
    assert!(file.multicast.is_none() && file.listen.is_none() && file.members.is_empty() && file.id.is_none());
    assert_eq!((file.chain.layers.len(), warnings.len()), (1, 0));
}

const STATIC: &str = "org.apache.catalina.tribes.membership.StaticMembershipService";

#[test]
fn the_static_service_is_named_after_the_cluster() {
    let service = |cluster: &str| {
        let id = "{1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}";
        parse(
            "c.xml",
            &format!(
                "<Engine name=\"Catalina\"><Cluster {cluster}><Channel>\
                 <Membership className=\"{STATIC}\" useThread=\"true\" pingInterval=\"200\" expirationTime=\"900\">\
                 <LocalMember className=\"m\" uniqueId=\"{id}\"/>\
                 <Member className=\"m\" host=\"10.0.0.2\" port=\"4000\" uniqueId=\"{id}\"/>\
                 </Membership></Channel></Cluster></Engine>"
            ),
        )
    };
    let (file, warnings) = service("clusterName=\"shop\"").unwrap();
    let (service_of, contacts) = file.service.unwrap();
    let text = format!("{service_of:?}");
    assert!(text.contains("\"shop-Channel\"") && text.contains("200ms") && text.contains("900ms"), "{text}");
    assert_eq!((contacts.len(), file.id.unwrap(), warnings.len()), (1, UniqueId([1; 16]), 0));
    let (file, _) = service("").unwrap();
    assert!(format!("{:?}", file.service.unwrap().0).contains("\"Catalina-Channel\""));
    refused(&format!("<Channel><Membership className=\"{STATIC}\"/></Channel>"), "--static-service NAME");
}

#[test]
fn what_has_no_effect_is_a_warning_with_its_place() {
    let (_, warnings) = file(&format!(
        "<Channel heartbeat=\"false\">\n\
           <Interceptor className=\"{INTERCEPTOR}OrderInterceptor\"\n   maxQueu=\"7\"/>\n\
           <Receiver className=\"r\" maxThreads=\"6\" tcpListenPort=\"4000\"/>\n\
           <ChannelListener className=\"mine\"/>\n\
         </Channel>"
    ));
    let expect = [
        ("c.xml:1:10: Channel attribute heartbeat", "has no effect here"),
        ("c.xml:3:4: Interceptor attribute maxQueu", "it has"),
        ("c.xml:4:25: Receiver attribute maxThreads", "has no effect here"),
        ("c.xml:4:40: Receiver attribute tcpListenPort", "it has address, host, bind, port, autoBind"),
        ("c.xml:5:1: ChannelListener", "Java code"),
    ];
    assert_eq!(warnings.len(), expect.len(), "{warnings:#?}");
    for (warning, (begins, says)) in warnings.iter().zip(expect) {
        assert!(warning.starts_with(begins) && warning.contains(says), "{warning}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let interceptor = |class: &str, attributes: &str, children: &str| {
        format!(
            "<Channel>\n<Interceptor className=\"{INTERCEPTOR}{class}\" {attributes}>{children}</Interceptor></Channel>"
        )
    };
    refused("<Channel", "c.xml is no XML");
    refused("<Cluster/>", "no <Channel>");
    refused(&interceptor("Bogus", "", ""), "c.xml:2:1: no interceptor");
    refused("<Channel><Interceptor/></Channel>", "c.xml:1:10: Interceptor needs a className");
    refused("<Channel><Valve className=\"x\"/></Channel>", "a Channel has no element Valve");
    refused("<Channel optionCheck=\"yes\"/>", "c.xml:1:10: Channel optionCheck=\"yes\": expected true or false");
    refused(&interceptor("OrderInterceptor", "expire=\"soon\"", ""), "c.xml:2:");
    refused(&interceptor("OrderInterceptor", "", "<Member className=\"m\"/>"), "has no element Member");
    let member = |attributes: &str| {
        interceptor("StaticMembershipInterceptor", "", &format!("<Member className=\"m\" {attributes}/>"))
    };
    refused(&member("host=\"a\""), "needs host and port");
    refused(&member("host=\"{1,2}\" port=\"1\""), "4 or 16 bytes");
    refused(&member("host=\"a\" port=\"1\" uniqueId=\"{1}\""), "16 bytes");
    refused(&member("host=\"a\" port=\"70000\""), "0 to 65535");
    refused(&format!("<Channel><Membership className=\"{MCAST}\" address=\"10.0.0.1\"/></Channel>"), "no multicast");
    refused("<Channel><Membership className=\"other\"/></Channel>", "not supported");
}

#[test]
fn members_without_an_id_are_warned_of() {
    let class = format!("{INTERCEPTOR}StaticMembershipInterceptor");
    let (file, warnings) = file(&format!(
        "<Channel><Interceptor className=\"{class}\"><Member className=\"m\" host=\"::1\" port=\"1\"/></Interceptor></Channel>"
    ));
    assert_eq!(file.members[0].to_string(), format!("[::1]:1/{}", "00".repeat(16)));
    assert!(warnings.len() == 1 && warnings[0].contains("no uniqueId"), "{warnings:?}");
}

#[test]
fn what_receiver_and_transport_say_has_its_effect_or_a_reason_why_not() {
    let (file, warnings) = file(
        "<Channel>\n\
           <Receiver className=\"r.BioReceiver\" udpPort=\"4200\" maxThreads=\"3\" rxBufSize=\"10000\" direct=\"true\"/>\n\
           <Sender className=\"s\"><Transport className=\"t\" poolSize=\"4\" throwOnFailedAck=\"false\"/></Sender>\n\
         </Channel>",
    );
    let TransportConfig { receiver, sender } = file.transport;
    assert_eq!((receiver.udp_port, receiver.blocking, receiver.max_threads), (Some(4200), true, 3));
    assert_eq!(receiver.sockets.receive_buffer, Some(10_000));
    assert_eq!((sender.pool_size, sender.throw_on_failed_ack), (4, false));
    assert_eq!(file.listen.as_deref(), Some("0.0.0.0:4000-4099"));
    let [warning] = &warnings[..] else { panic!("{warnings:#?}") };
    assert!(warning.contains("Receiver attribute direct has no effect here: there is no heap"), "{warning}");
}
