package clowder.interop;

import java.util.ArrayList;
import java.util.Arrays;
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
 * The top of the chain: keeps account of the byte messages that come up; repeated ones are counted as such alone. As an interceptor it sees ids and options,
 * which a listener does not, and with it Tomcat adds no interceptor of its own to an empty chain.
 */
final class Recorder extends ChannelInterceptorBase {
    /** What a TcpFailureDetector sends, and only another one recognises. */
    private static final byte[] PROBE = Tribes.unhex("4fa77348798243c99f6f8980a15b07147dd9525bebf1439ab77ebe8f81671eb6"
            + "3715be87457e4ca8bf0a4d135338153255f694b73afa407891047dd77284c0d5");

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
        byte[] body = message.getMessage().getBytes();
        boolean isBytes = (message.getOptions() & Channel.SEND_OPTIONS_BYTE_MESSAGE) != 0;
        if (isBytes && !Arrays.equals(body, PROBE)) {
            if (failing) {
                throw new IllegalStateException("told to fail");
            }
            record(message, body);
        }
        super.messageReceived(message);
    }

    private void record(ChannelMessage message, byte[] body) {
        byte[] digest = Numbered.sha256(body);
        Numbered numbered = Numbered.read(body);
        synchronized (this) {
            boolean again = !ids.add(Tribes.hex(message.getUniqueId()));
            if (numbered != null) {
                again |= !seen.add(numbered.lane + ":" + numbered.number);
            }
            if (again) {
                repeated++;
                return;
            }
            digests.add(digest);
            bytes += body.length;
            options.add(message.getOptions());
            if (numbered != null) {
                damaged += numbered.intact ? 0 : 1;
                Integer before = newest.merge(numbered.lane, numbered.number, Math::max);
                if (before > numbered.number) {
                    overtaken.merge(Tribes.name(message.getAddress()), 1, Integer::sum);
                }
            }
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

    /** Each by itself, for what two nodes received together. */
    synchronized String bodies() {
        List<String> bodies = new ArrayList<>();
        digests.forEach(digest -> bodies.add(Tribes.hex(digest)));
        return new Json().put("sha256", bodies).toString();
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
