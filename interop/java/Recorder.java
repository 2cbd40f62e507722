package clowder.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.catalina.tribes.Channel;
import org.apache.catalina.tribes.ChannelMessage;
import org.apache.catalina.tribes.group.ChannelInterceptorBase;

/**
 * The top of the chain: keeps account of the byte messages that come up. As an interceptor it sees ids and options,
 * which a listener does not, and with it Tomcat adds no interceptor of its own to an empty chain.
 */
final class Recorder extends ChannelInterceptorBase {
    private final List<byte[]> digests = new ArrayList<>();
    private final Set<String> ids = new HashSet<>();
    private final Set<String> seen = new HashSet<>();
    private final Map<String, Integer> newest = new HashMap<>();
    private final Map<String, Integer> overtaken = new TreeMap<>();
    private final Set<Integer> options = new TreeSet<>();
    private long bytes;
    private int damaged;
    private int repeated;
    private volatile boolean failing;

    @Override
    public void messageReceived(ChannelMessage message) {
        if ((message.getOptions() & Channel.SEND_OPTIONS_BYTE_MESSAGE) != 0) {
            if (failing) {
                throw new IllegalStateException("told to fail");
            }
            record(message, message.getMessage().getBytes());
        }
        super.messageReceived(message);
    }

    private void record(ChannelMessage message, byte[] body) {
        byte[] digest = Numbered.sha256(body);
        Numbered numbered = Numbered.read(body);
        synchronized (this) {
            digests.add(digest);
            bytes += body.length;
            options.add(message.getOptions());
            boolean again = !ids.add(Tribes.hex(message.getUniqueId()));
            if (numbered != null) {
                damaged += numbered.intact ? 0 : 1;
                again |= !seen.add(numbered.lane + ":" + numbered.number);
                Integer before = newest.merge(numbered.lane, numbered.number, Math::max);
                if (before > numbered.number) {
                    overtaken.merge(Tribes.name(message.getAddress()), 1, Integer::sum);
                }
            }
            repeated += again ? 1 : 0;
        }
    }

    /** From now on every byte message fails with an exception, or none does. */
    void fail(boolean fail) {
        failing = fail;
    }

    synchronized String report() {
        Json disorder = new Json();
        overtaken.forEach(disorder::put);
        return new Json().put("received", digests.size()).put("bytes", bytes).put("damaged", damaged)
                .put("repeated", repeated).put("disorder", disorder).put("options", options)
                .put("digest", Numbered.digest(digests)).toString();
    }

    synchronized void reset() {
        digests.clear();
        ids.clear();
        seen.clear();
        newest.clear();
        overtaken.clear();
        options.clear();
        bytes = 0;
        damaged = 0;
        repeated = 0;
    }
}
