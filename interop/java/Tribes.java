package clowder.interop;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import org.apache.catalina.tribes.Channel;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.group.GroupChannel;
import org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor;
import org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor;
import org.apache.catalina.tribes.group.interceptors.TcpFailureDetector;
import org.apache.catalina.tribes.group.interceptors.TcpPingInterceptor;
import org.apache.catalina.tribes.membership.McastService;
import org.apache.catalina.tribes.membership.StaticMember;
import org.apache.catalina.tribes.membership.cloud.CloudMembershipService;
import org.apache.catalina.tribes.transport.nio.NioReceiver;

/**
 * A Tribes channel from options:
 *
 * <pre>
 * --host ADDR           receiver's address, default 127.0.0.1
 * --port N              receiver's port, exactly this one; 0 takes a free one (only without static peers)
 * --id HEX32            unique id of the local static member; random without it
 * --peer HOST:PORT/HEX  a static member (repeats)
 * --multicast GROUP:PORT  multicast membership on the interface that has --host
 * --dns                 the cloud membership's provider dns; the name is DNS_MEMBERSHIP_SERVICE_NAME in the environment
 * --domain NAME         membership domain
 * --dispatch BOOL       MessageDispatchInterceptor, default true
 * --detector BOOL       TcpFailureDetector, default true
 * --ping MS             TcpPingInterceptor with this interval, default none
 * --heartbeat MS        channel heartbeat, default 5000 as in Tomcat
 * </pre>
 *
 * Chain from the top: dispatch, ping, detector, static membership.
 */
final class Tribes {
    final GroupChannel channel = new GroupChannel();
    /** Services to start: without multicast only receiver and sender. */
    final int services;
    private final boolean staticMembers;

    Tribes(Args args) throws IOException {
        String host = args.text("host", "127.0.0.1");
        NioReceiver receiver = (NioReceiver) channel.getChannelReceiver();
        receiver.setAddress(host);
        receiver.setPort(portOrFree(args.number("port", 0), host));
        receiver.setAutoBind(1);
        channel.setHeartbeatSleeptime(args.number("heartbeat", 5000));
        String multicast = args.text("multicast", null);
        String domain = args.text("domain", null);
        if (multicast != null) {
            configure((McastService) channel.getMembershipService(), multicast, host, domain);
        }
        boolean dns = args.flag("dns", false);
        if (dns) {
            CloudMembershipService cloud = new CloudMembershipService();
            cloud.setMembershipProviderClassName("dns");
            channel.setMembershipService(cloud);
        }
        services = multicast == null && !dns ? Channel.SND_RX_SEQ | Channel.SND_TX_SEQ : Channel.DEFAULT;
        if (args.flag("dispatch", true)) {
            channel.addInterceptor(new MessageDispatchInterceptor());
        }
        int ping = args.number("ping", 0);
        if (ping > 0) {
            TcpPingInterceptor interceptor = new TcpPingInterceptor();
            interceptor.setInterval(ping);
            channel.addInterceptor(interceptor);
        }
        if (args.flag("detector", true)) {
            channel.addInterceptor(new TcpFailureDetector());
        }
        List<String> peers = args.all("peer");
        String id = args.text("id", null);
        staticMembers = (multicast == null && !dns) || id != null || !peers.isEmpty();
        if (staticMembers) {
            addStatic(host, receiver.getPort(), id, domain, peers);
        }
    }

    private static void configure(McastService service, String multicast, String host, String domain) {
        int colon = multicast.lastIndexOf(':');
        service.setAddress(multicast.substring(0, colon));
        service.setPort(Integer.parseInt(multicast.substring(colon + 1)));
        service.setBind(host);
        if (domain != null) {
            service.setDomain(domain);
        }
    }

    private void addStatic(String host, int port, String id, String domain, List<String> peers) throws IOException {
        StaticMembershipInterceptor members = new StaticMembershipInterceptor();
        byte[] uniqueId = id == null ? new byte[16] : unhex(id);
        if (id == null) {
            new SecureRandom().nextBytes(uniqueId);
        }
        members.setLocalMember(member(host, port, uniqueId, domain));
        for (String peer : peers) {
            int slash = peer.indexOf('/');
            int colon = peer.lastIndexOf(':', slash);
            int peerPort = Integer.parseInt(peer.substring(colon + 1, slash));
            members.addStaticMember(member(peer.substring(0, colon), peerPort, unhex(peer.substring(slash + 1)), domain));
        }
        channel.addInterceptor(members);
    }

    private static StaticMember member(String host, int port, byte[] id, String domain) throws IOException {
        StaticMember member = new StaticMember(host, port, 0);
        member.setUniqueId(id);
        if (domain != null) {
            member.setDomain(domain);
        }
        return member;
    }

    private static int portOrFree(int port, String host) throws IOException {
        if (port != 0) {
            return port;
        }
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getByName(host))) {
            return probe.getLocalPort();
        }
    }

    Member local() {
        return channel.getLocalMember(false);
    }

    /** {@code HOST:PORT/HEX} of a member, the form of {@code --peer}. */
    static String name(Member member) {
        StringBuilder name = new StringBuilder();
        for (byte b : member.getHost()) {
            name.append(name.length() == 0 ? "" : ".").append(b & 0xff);
        }
        return name + ":" + member.getPort() + "/" + hex(member.getUniqueId());
    }

    List<String> memberNames() {
        List<String> names = new ArrayList<>();
        for (Member member : channel.getMembers()) {
            names.add(name(member));
        }
        return names;
    }

    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }

    static byte[] unhex(String text) {
        byte[] bytes = new byte[text.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(text.substring(2 * i, 2 * i + 2), 16);
        }
        return bytes;
    }
}
