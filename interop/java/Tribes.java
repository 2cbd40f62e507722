package clowder.interop;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import org.apache.catalina.tribes.Channel;
import org.apache.catalina.tribes.ChannelInterceptor;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.group.GroupChannel;
import org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor;
import org.apache.catalina.tribes.group.interceptors.NonBlockingCoordinator;
import org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor;
import org.apache.catalina.tribes.group.interceptors.TcpFailureDetector;
import org.apache.catalina.tribes.group.interceptors.TcpPingInterceptor;
import org.apache.catalina.tribes.membership.McastService;
import org.apache.catalina.tribes.membership.StaticMember;
import org.apache.catalina.tribes.membership.StaticMembershipService;
import org.apache.catalina.tribes.membership.cloud.CloudMembershipService;
import org.apache.catalina.tribes.transport.AbstractSender;
import org.apache.catalina.tribes.transport.ReplicationTransmitter;
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
 * --sender-timeout MS   wait so long for an acknowledgement, default 3000 as in Tomcat
 * --heartbeat MS        channel heartbeat, default 5000 as in Tomcat
 * --udp PORT            receive datagrams too
 * --chain CHAIN         this chain, see {@link ChainText}, instead of what the three options above it say
 * --static-service NAME(ATTRIBUTE=VALUE,…)  StaticMembershipService of a channel with this name has the peers, and
 *                       no interceptor
 * </pre>
 *
 * Chain from the top: dispatch, ping, detector, static membership. A chain without a place for static membership
 * gets it at the bottom if there are static members.
 */
final class Tribes {
    final GroupChannel channel = new GroupChannel();
    /** Services to start: without a membership service only receiver and sender. */
    final int services;
    final List<ChannelInterceptor> interceptors = new ArrayList<>();

    /** {@code top}: interceptors above all others. */
    Tribes(Args args, ChannelInterceptor... top) throws IOException {
        String host = args.text("host", "127.0.0.1");
        NioReceiver receiver = (NioReceiver) channel.getChannelReceiver();
        receiver.setAddress(host);
        receiver.setPort(portOrFree(args.number("port", 0), host));
        receiver.setAutoBind(1);
        AbstractSender transport = (AbstractSender) ((ReplicationTransmitter) channel.getChannelSender()).getTransport();
        transport.setTimeout(args.number("sender-timeout", 3000));
        channel.setHeartbeatSleeptime(args.number("heartbeat", 5000));
        receiver.setUdpPort(args.number("udp", -1));
        String multicast = args.text("multicast", null);
        String domain = args.text("domain", null);
        if (multicast != null) {
            configure((McastService) channel.getMembershipService(), multicast, host, domain);
        }
        interceptors.addAll(List.of(top));
        addChain(args);
        String id = args.text("id", null);
        List<String> peers = args.all("peer");
        String service = args.text("static-service", null);
        boolean dns = args.flag("dns", false);
        StaticMember local = member(host, receiver.getPort(), id == null ? randomId() : unhex(id), domain);
        if (service != null) {
            channel.setMembershipService(staticService(new ChainText.Element(service), local, peers, domain));
        } else if (dns) {
            CloudMembershipService cloud = new CloudMembershipService();
            cloud.setMembershipProviderClassName("dns");
            channel.setMembershipService(cloud);
        } else if (multicast == null || id != null || !peers.isEmpty()) {
            if (multicast == null && interceptors.stream().anyMatch(NonBlockingCoordinator.class::isInstance)) {
                // It starts the membership service whatever it is told, and multicast cannot start unconfigured.
                channel.setMembershipService(staticService(new ChainText.Element("none"), local, List.of(), domain));
            }
            StaticMembershipInterceptor place = staticPlace();
            place.setLocalMember(local);
            for (String peer : peers) {
                place.addStaticMember(member(peer, domain));
            }
        }
        services = multicast == null && service == null && !dns ? Channel.SND_RX_SEQ | Channel.SND_TX_SEQ : Channel.DEFAULT;
        interceptors.forEach(channel::addInterceptor);
    }

    private void addChain(Args args) {
        String chain = args.text("chain", null);
        if (chain != null) {
            interceptors.addAll(ChainText.parse(chain));
            return;
        }
        if (args.flag("dispatch", true)) {
            interceptors.add(new MessageDispatchInterceptor());
        }
        int ping = args.number("ping", 0);
        if (ping > 0) {
            TcpPingInterceptor interceptor = new TcpPingInterceptor();
            interceptor.setInterval(ping);
            interceptors.add(interceptor);
        }
        if (args.flag("detector", true)) {
            interceptors.add(new TcpFailureDetector());
        }
    }

    private StaticMembershipInterceptor staticPlace() {
        for (ChannelInterceptor interceptor : interceptors) {
            if (interceptor instanceof StaticMembershipInterceptor) {
                return (StaticMembershipInterceptor) interceptor;
            }
        }
        StaticMembershipInterceptor place = new StaticMembershipInterceptor();
        interceptors.add(place);
        return place;
    }

    private StaticMembershipService staticService(
            ChainText.Element element, StaticMember local, List<String> peers, String domain) throws IOException {
        channel.setName(element.name); // the service's name is made of it
        StaticMembershipService service = element.configure(new StaticMembershipService());
        service.setLocalMember(local);
        for (String peer : peers) {
            service.addStaticMember(member(peer, domain));
        }
        return service;
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

    private static byte[] randomId() {
        byte[] id = new byte[16];
        new SecureRandom().nextBytes(id);
        return id;
    }

    /** {@code HOST:PORT/HEX}. */
    private static StaticMember member(String peer, String domain) throws IOException {
        int slash = peer.indexOf('/');
        int colon = peer.lastIndexOf(':', slash);
        int port = Integer.parseInt(peer.substring(colon + 1, slash));
        return member(peer.substring(0, colon), port, unhex(peer.substring(slash + 1)), domain);
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
