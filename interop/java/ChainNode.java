package clowder.interop;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.catalina.tribes.ByteMessage;
import org.apache.catalina.tribes.ChannelException;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.group.Response;
import org.apache.catalina.tribes.group.RpcChannel;
import org.apache.catalina.tribes.group.interceptors.NonBlockingCoordinator;
import org.apache.catalina.tribes.group.interceptors.SimpleCoordinator;

/**
 * A bare Tribes channel with any chain of interceptors. Channel options: see {@link Tribes}. Besides
 * {@code --rpc-id TEXT}: an RPC channel with this id, which answers each question with itself until it is told otherwise.
 *
 * <p>Prints {@code READY} when its channel is started; without {@code --chain} it is not. Commands:
 *
 * <pre>
 * up CHAIN                                  start a channel with this chain; "-" is the empty one
 * down                                      stop it; another one may follow
 * send COUNT SIZE OPTIONS SENDERS           {@link Numbered} messages by SENDERS threads, to all members
 * sendto MEMBER,… COUNT SIZE OPTIONS SENDERS   the same to these members
 * recv                                      account of what was received, see {@link Recorder}
 * reset                                     forget it
 * fail BOOL                                 fail with every message, or none
 * members                                   the members
 * leader                                    the elected coordinator and its view
 * bodies                                    SHA-256 of each message that was received, also before a "down"
 * rpc MODE TIMEOUT OPTIONS TEXT             call all members; modes: first, majority, all, none
 * answer HOW [TEXT]                         how questions are answered: echo, text (with TEXT), null, fail (not at
 *                                           all), hold (not until another way is told)
 * asked                                     how many questions came, and answers that were left over
 * stop                                      orderly
 * </pre>
 */
public final class ChainNode {
    private final Args args;
    private final String rpcId;
    private final Answers answers = new Answers();
    private Tribes tribes;
    private Recorder recorder;
    private RpcChannel rpc;

    private ChainNode(Args args) throws Exception {
        this.args = args;
        rpcId = args.text("rpc-id", null);
        if (args.text("chain", null) == null) {
            new Tribes(args); // asks for the options, so that misspelt ones are found now
            args.refuseUnknown();
        } else {
            up();
            args.refuseUnknown();
        }
    }

    private void up() throws Exception {
        recorder = new Recorder();
        tribes = new Tribes(args, recorder);
        rpc = rpcId == null ? null : new RpcChannel(rpcId.getBytes("ISO-8859-1"), tribes.channel, answers);
        tribes.channel.start(tribes.services);
    }

    private void down() throws Exception {
        if (tribes != null) {
            tribes.channel.stop(tribes.services);
            tribes = null;
        }
    }

    /** What one thread sent. */
    private static final class Sent {
        final List<byte[]> digests = new ArrayList<>();
        final List<Exception> errors = new ArrayList<>();
    }

    private String send(Member[] to, int count, int size, int options, int senders) throws Exception {
        List<Sent> all = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(senders);
        for (int s = 0; s < senders; s++) {
            int share = count / senders + (s < count % senders ? 1 : 0);
            new Thread(() -> {
                try {
                    all.add(lane(to, share, size, options));
                } finally {
                    done.countDown();
                }
            }).start();
        }
        done.await();
        List<byte[]> digests = new ArrayList<>();
        List<Exception> errors = new ArrayList<>();
        all.forEach(sent -> digests.addAll(sent.digests));
        all.forEach(sent -> errors.addAll(sent.errors));
        return new Json().put("sent", digests.size()).put("errors", errors.size())
                .put("error", errors.isEmpty() ? "" : errors.get(0).toString())
                .put("faulty", errors.isEmpty() ? List.of() : faulty(errors.get(0)))
                .put("digest", Numbered.digest(digests)).toString();
    }

    private Sent lane(Member[] to, int count, int size, int options) {
        Sent sent = new Sent();
        int lane = ThreadLocalRandom.current().nextInt();
        for (int number = 0; number < count; number++) {
            byte[] body = Numbered.make(tribes.local().getUniqueId(), lane, number, size);
            byte[] digest = Numbered.sha256(body);
            ByteMessage message = new ByteMessage();
            message.setMessage(body);
            try {
                tribes.channel.send(to, message, options);
                sent.digests.add(digest);
            } catch (ChannelException | RuntimeException e) {
                sent.errors.add(e);
            } catch (Error e) {
                sent.errors.add(new IllegalStateException(e));
            }
        }
        return sent;
    }

    private static List<String> faulty(Exception error) {
        List<String> names = new ArrayList<>();
        if (error instanceof ChannelException) {
            for (ChannelException.FaultyMember faulty : ((ChannelException) error).getFaultyMembers()) {
                names.add(Tribes.name(faulty.getMember()));
            }
        }
        return names;
    }

    private Member[] members(String names) {
        List<String> wanted = List.of(names.split(","));
        List<Member> found = new ArrayList<>();
        for (Member member : tribes.channel.getMembers()) {
            if (wanted.contains(Tribes.name(member))) {
                found.add(member);
            }
        }
        if (found.size() != wanted.size()) {
            throw new IllegalArgumentException("not all are members: " + names);
        }
        return found.toArray(new Member[0]);
    }

    private String leader() {
        for (Object interceptor : tribes.interceptors) {
            if (interceptor instanceof NonBlockingCoordinator) {
                NonBlockingCoordinator coordinator = (NonBlockingCoordinator) interceptor;
                return leader(coordinator.getCoordinator(), coordinator.getView(), coordinator.isCoordinator());
            }
            if (interceptor instanceof SimpleCoordinator) {
                SimpleCoordinator coordinator = (SimpleCoordinator) interceptor;
                return leader(coordinator.getCoordinator(), coordinator.getView(), coordinator.isCoordinator());
            }
        }
        throw new IllegalStateException("no coordinator in the chain");
    }

    private static String leader(Member leader, Member[] view, boolean self) {
        List<String> names = new ArrayList<>();
        for (Member member : view == null ? new Member[0] : view) {
            names.add(Tribes.name(member));
        }
        return new Json().put("leader", leader == null ? null : Tribes.name(leader)).put("view", names)
                .put("self", self).toString();
    }

    private String call(String mode, long timeout, int options, String text) throws Exception {
        Response[] responses = rpc.send(tribes.channel.getMembers(), text, mode(mode), options, timeout);
        List<Json> given = new ArrayList<>();
        for (Response response : responses) {
            given.add(Answers.answer(response.getSource(), response.getMessage()));
        }
        return new Json().put("answers", given).toString();
    }

    private static int mode(String name) {
        switch (name) {
            case "first":
                return RpcChannel.FIRST_REPLY;
            case "majority":
                return RpcChannel.MAJORITY_REPLY;
            case "all":
                return RpcChannel.ALL_REPLY;
            case "none":
                return RpcChannel.NO_REPLY;
            default:
                throw new IllegalArgumentException("unknown mode " + name);
        }
    }

    private String handle(String[] words) throws Exception {
        switch (words[0]) {
            case "send":
                return send(tribes.channel.getMembers(), number(words[1]), number(words[2]), number(words[3]),
                        number(words[4]));
            case "sendto":
                return send(members(words[1]), number(words[2]), number(words[3]), number(words[4]),
                        number(words[5]));
            case "recv":
                return recorder.report();
            case "bodies":
                return recorder.bodies();
            case "reset":
                recorder.reset();
                return "{}";
            case "fail":
                recorder.fail(Boolean.parseBoolean(words[1]));
                return "{}";
            case "members":
                return new Json().put("members", tribes.memberNames()).toString();
            case "leader":
                return leader();
            case "rpc":
                return call(words[1], number(words[2]), number(words[3]), words[4]);
            case "answer":
                answers.set(words[1], words.length > 2 ? words[2] : null);
                return "{}";
            case "asked":
                return answers.report();
            case "up":
                args.set("chain", words[1].equals("-") ? "" : words[1]);
                up();
                return "{}";
            case "down":
                down();
                return "{}";
            case "stop":
                down();
                return null;
            default:
                throw new IllegalArgumentException("unknown command " + words[0]);
        }
    }

    private static int number(String text) {
        return Integer.parseInt(text);
    }

    public static void main(String[] argv) throws Exception {
        ChainNode node = new ChainNode(new Args(argv));
        Commands.print("READY chain");
        Commands.loop(node::handle);
    }
}
