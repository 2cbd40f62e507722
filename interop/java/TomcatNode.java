package clowder.interop;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import org.apache.catalina.Context;
import org.apache.catalina.Lifecycle;
import org.apache.catalina.Session;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.ha.session.DeltaManager;
import org.apache.catalina.ha.tcp.SimpleTcpCluster;
import org.apache.catalina.session.StandardSession;
import org.apache.catalina.startup.Tomcat;

/**
 * One embedded Tomcat with the cluster at the engine, so that session messages name {@code localhost#/app}.
 * Channel options: see {@link Tribes}. Besides:
 *
 * <pre>
 * --http-port N         default 0: a free one
 * --http-threads N      default 200 as in Tomcat
 * --options N           channelSendOptions, default 8
 * --context PATH        default /app
 * --timeout MINUTES     session timeout, default 30
 * --route NAME          jvmRoute
 * --state-timeout S     stateTransferTimeout, default 60
 * --send-all BOOL       sendAllSessions, default true
 * --block-sessions N    sendAllSessionsSize, default 1000
 * --block-wait MS       sendAllSessionsWaitTime, default 2000
 * --await-members N     start the application only when so many members are known (at most 10 s): static
 *                       members are announced by another thread than the one that starts applications
 * --cluster BOOL        default true; false: a Tomcat alone, to compare with
 * </pre>
 *
 * Prints {@code READY http=HOST:PORT cluster=HOST:PORT id=HEX}. Commands: {@code stats}, {@code expire} (runs
 * the manager's expiry now), {@code peek ID} (a session without touching it), {@code having NAME} (how many
 * sessions have that attribute), {@code transfer} (asks for the cluster's state), {@code stop}.
 */
public final class TomcatNode {
    private final Tomcat tomcat = new Tomcat();
    private final SimpleTcpCluster cluster = new SimpleTcpCluster();
    private final Tribes tribes;
    private final Connector connector = new Connector();
    private final Context context;
    private final boolean clustered;

    private TomcatNode(Args args) throws Exception {
        File base = Files.createTempDirectory("clowder-tomcat").toFile();
        tomcat.setBaseDir(base.getPath());
        tomcat.setHostname("localhost");
        connector.setPort(args.number("http-port", 0));
        connector.setProperty("address", args.text("host", "127.0.0.1"));
        connector.setProperty("maxThreads", args.text("http-threads", "200"));
        connector.setProperty("maxKeepAliveRequests", "-1");
        tomcat.setConnector(connector);
        String route = args.text("route", null);
        if (route != null) {
            tomcat.getEngine().setJvmRoute(route);
        }
        tribes = new Tribes(args);
        clustered = args.flag("cluster", true);
        cluster.setChannel(tribes.channel);
        cluster.setChannelSendOptions(args.number("options", 8));
        cluster.setChannelStartOptions(tribes.services);
        cluster.setManagerTemplate(template(args));
        if (clustered) {
            tomcat.getEngine().setCluster(cluster);
        }
        context = tomcat.addContext(args.text("context", "/app"), base.getPath());
        context.setDistributable(clustered);
        context.setSessionTimeout(args.number("timeout", 30));
        Tomcat.addServlet(context, "s", new SampleServlet());
        context.addServletMappingDecoded("/s", "s");
        int await = args.number("await-members", 0);
        context.addLifecycleListener(event -> {
            if (Lifecycle.BEFORE_START_EVENT.equals(event.getType())) {
                awaitMembers(await);
            }
        });
        args.refuseUnknown();
    }

    private static DeltaManager template(Args args) {
        DeltaManager manager = new DeltaManager();
        manager.setStateTransferTimeout(args.number("state-timeout", 60));
        manager.setSendAllSessions(args.flag("send-all", true));
        manager.setSendAllSessionsSize(args.number("block-sessions", 1000));
        manager.setSendAllSessionsWaitTime(args.number("block-wait", 2000));
        return manager;
    }

    private void awaitMembers(int count) {
        long end = System.nanoTime() + 10_000_000_000L;
        while (clustered && tribes.channel.getMembers().length < count && System.nanoTime() < end) {
            try {
                Thread.sleep(5);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private org.apache.catalina.session.ManagerBase manager() {
        return (org.apache.catalina.session.ManagerBase) context.getManager();
    }

    private String handle(String[] words) throws Exception {
        switch (words[0]) {
            case "stats":
                return stats();
            case "expire":
                manager().processExpires();
                return new Json().put("sessions", manager().getActiveSessions()).toString();
            case "peek":
                return peek(manager().findSession(words[1]));
            case "having":
                return having(words[1]);
            case "transfer":
                ((DeltaManager) manager()).getAllClusterSessions();
                return stats();
            case "stop":
                tomcat.stop();
                tomcat.destroy();
                return null;
            default:
                throw new IllegalArgumentException("unknown command " + words[0]);
        }
    }

    private String stats() {
        Json json = new Json().put("sessions", manager().getActiveSessions()).put("members", tribes.memberNames());
        if (manager() instanceof DeltaManager) {
            DeltaManager delta = (DeltaManager) manager();
            json.put("transferred", delta.getStateTransferred())
                    .put("created", delta.getCounterReceive_EVT_SESSION_CREATED())
                    .put("deltas", delta.getCounterReceive_EVT_SESSION_DELTA())
                    .put("accessed", delta.getCounterReceive_EVT_SESSION_ACCESSED())
                    .put("expired", delta.getCounterReceive_EVT_SESSION_EXPIRED())
                    .put("id_changes", delta.getCounterReceive_EVT_CHANGE_SESSION_ID())
                    .put("data", delta.getCounterReceive_EVT_ALL_SESSION_DATA())
                    .put("asked", delta.getCounterReceive_EVT_GET_ALL_SESSIONS())
                    .put("replaced", delta.getSessionReplaceCounter());
        }
        System.gc();
        long heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
        return json.put("heap_bytes", heap).toString();
    }

    private static String peek(Session session) {
        if (session == null) {
            return "{\"session\":null}";
        }
        StandardSession standard = (StandardSession) session;
        Map<String, Object> attributes = new HashMap<>();
        for (String name : java.util.Collections.list(standard.getAttributeNames())) {
            attributes.put(name, standard.getAttribute(name));
        }
        return new Json().put("session", session.getId()).put("maxInactive", session.getMaxInactiveInterval())
                .put("attrs", SampleServlet.describeAll(attributes)).toString();
    }

    private String having(String name) {
        int with = 0;
        Session[] sessions = manager().findSessions();
        for (Session session : sessions) {
            with += ((StandardSession) session).getAttribute(name) == null ? 0 : 1;
        }
        return new Json().put("sessions", sessions.length).put("having", with).toString();
    }

    public static void main(String[] argv) throws Exception {
        TomcatNode node = new TomcatNode(new Args(argv));
        node.tomcat.start();
        String host = String.valueOf(node.connector.getProperty("address")).replaceFirst("^.*/", "");
        String cluster = node.clustered ? Tribes.name(node.tribes.local()) : "none/none";
        Commands.print("READY http=" + host + ":" + node.connector.getLocalPort() + " cluster="
                + cluster.replace("/", " id="));
        Commands.loop(node::handle);
    }
}
