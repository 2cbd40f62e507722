package clowder.interop;

import java.io.Serializable;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.apache.catalina.tribes.ByteMessage;
import org.apache.catalina.tribes.ChannelListener;
import org.apache.catalina.tribes.Member;

/**
 * A bare Tribes channel, as sender and as receiver. Channel options: see {@link Tribes}. Besides
 * {@code --digest BOOL} (default true; false for benchmarks): digest what is received.
 *
 * <p>Prints {@code READY cluster=HOST:PORT id=HEX}. Commands:
 *
 * <pre>
 * send N SIZE OPTIONS SENDERS   N byte messages by SENDERS threads to all members; see {@link #payload}
 * bench SECONDS SIZE OPTIONS SENDERS   the same for a time, after a warm-up of a quarter of it
 * object TEXT OPTIONS           one serialized String to all members
 * recv                          what was received so far
 * reset                         forget it
 * members                       the members, comma separated
 * stop                          orderly
 * </pre>
 *
 * Messages of different senders arrive in any order, so {@code recv} gives the exclusive or of the SHA-256 of
 * all bodies: equal sets of distinct messages have equal digests.
 */
public final class TribesNode implements ChannelListener {
    private final Tribes tribes;
    private final boolean digesting;
    private final LongAdder count = new LongAdder();
    private final LongAdder bytes = new LongAdder();
    private final byte[] digest = new byte[32];
    private volatile String lastObject = "";

    private TribesNode(Args args) throws Exception {
        tribes = new Tribes(args);
        digesting = args.flag("digest", true);
        args.refuseUnknown();
        tribes.channel.addChannelListener(this);
    }

    @Override
    public boolean accept(Serializable message, Member sender) {
        return true;
    }

    @Override
    public void messageReceived(Serializable message, Member sender) {
        if (message instanceof ByteMessage) {
            byte[] body = ((ByteMessage) message).getMessage();
            bytes.add(body.length);
            if (digesting) {
                fold(body);
            }
        } else {
            lastObject = String.valueOf(message);
        }
        count.increment();
    }

    private void fold(byte[] body) {
        byte[] one;
        try {
            one = MessageDigest.getInstance("SHA-256").digest(body);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        synchronized (digest) {
            for (int i = 0; i < digest.length; i++) {
                digest[i] ^= one[i];
            }
        }
    }

    /** Message number {@code n}: 8 bytes of the number, then every byte at {@code i} is {@code n + i}. */
    private static byte[] payload(long n, int size) {
        byte[] body = new byte[size];
        for (int i = 0; i < size; i++) {
            body[i] = i < 8 ? (byte) (n >> 8 * (7 - i)) : (byte) (n + i);
        }
        return body;
    }

    private void sendOne(byte[] body, int options) throws Exception {
        ByteMessage message = new ByteMessage();
        message.setMessage(body);
        tribes.channel.send(tribes.channel.getMembers(), message, options);
    }

    private String send(int total, int size, int options, int senders) throws Exception {
        Run run = new Run(senders);
        AtomicInteger next = new AtomicInteger();
        run.go(times -> {
            for (int n = next.getAndIncrement(); n < total; n = next.getAndIncrement()) {
                byte[] body = payload(n, size);
                times.measure(() -> sendOne(body, options));
            }
        });
        return run.report(size, senders, options);
    }

    private String bench(double seconds, int size, int options, int senders) throws Exception {
        byte[] body = payload(0, size);
        String report = "";
        for (double part : new double[] {seconds / 4, seconds}) {
            Run run = new Run(senders);
            long end = System.nanoTime() + (long) (part * 1e9);
            run.go(times -> {
                while (System.nanoTime() < end) {
                    times.measure(() -> sendOne(body, options));
                }
            });
            report = run.report(size, senders, options);
        }
        return report;
    }

    private String handle(String[] words) throws Exception {
        switch (words[0]) {
            case "send":
                return send(number(words[1]), number(words[2]), number(words[3]), number(words[4]));
            case "bench":
                return bench(Double.parseDouble(words[1]), number(words[2]), number(words[3]), number(words[4]));
            case "object":
                tribes.channel.send(tribes.channel.getMembers(), words[1], number(words[2]));
                return "{\"sent\":1}";
            case "recv":
                synchronized (digest) {
                    return new Json().put("received", count.sum()).put("bytes", bytes.sum())
                            .put("sha256_xor", Tribes.hex(digest)).put("last_object", lastObject).toString();
                }
            case "reset":
                synchronized (digest) {
                    Arrays.fill(digest, (byte) 0);
                }
                count.reset();
                bytes.reset();
                return "{}";
            case "members":
                return new Json().put("members", tribes.memberNames()).toString();
            case "stop":
                tribes.channel.stop(tribes.services);
                return null;
            default:
                throw new IllegalArgumentException("unknown command " + words[0]);
        }
    }

    private static int number(String text) {
        return Integer.parseInt(text);
    }

    public static void main(String[] argv) throws Exception {
        TribesNode node = new TribesNode(new Args(argv));
        node.tribes.channel.start(node.tribes.services);
        Commands.print("READY cluster=" + Tribes.name(node.tribes.local()).replace("/", " id="));
        Commands.loop(node::handle);
    }

    private interface Step {
        void run() throws Exception;
    }

    private interface Work {
        void run(Times times) throws Exception;
    }

    /** Latencies of one thread in nanoseconds; each thread has its own, so measuring takes no lock. */
    private static final class Times {
        long[] nanos = new long[1 << 16];
        int used;
        int errors;

        void measure(Step step) {
            long before = System.nanoTime();
            try {
                step.run();
            } catch (Exception e) {
                errors++;
            }
            if (used == nanos.length) {
                nanos = Arrays.copyOf(nanos, used * 2);
            }
            nanos[used++] = System.nanoTime() - before;
        }
    }

    /** Some threads doing the same work between a common start and the end of the last. */
    private static final class Run {
        private final Times[] times;
        private double seconds;

        Run(int senders) {
            times = new Times[senders];
            for (int i = 0; i < senders; i++) {
                times[i] = new Times();
            }
        }

        void go(Work work) throws InterruptedException {
            CountDownLatch done = new CountDownLatch(times.length);
            long begin = System.nanoTime();
            for (Times own : times) {
                new Thread(() -> {
                    try {
                        work.run(own);
                    } catch (Exception e) {
                        own.errors++;
                    } finally {
                        done.countDown();
                    }
                }).start();
            }
            done.await();
            seconds = (System.nanoTime() - begin) / 1e9;
        }

        String report(int size, int senders, int options) {
            int total = 0;
            int errors = 0;
            for (Times own : times) {
                total += own.used;
                errors += own.errors;
            }
            long[] all = new long[total];
            int at = 0;
            for (Times own : times) {
                System.arraycopy(own.nanos, 0, all, at, own.used);
                at += own.used;
            }
            Arrays.sort(all);
            return new Json().put("size", size).put("senders", senders).put("options", options).put("sent", total)
                    .put("msgs_per_s", Math.round(total / seconds))
                    .put("mb_per_s", Math.round(total * (double) size / seconds / 1e4) / 1e2)
                    .put("p50_us", percentile(all, 0.5)).put("p99_us", percentile(all, 0.99))
                    .put("p999_us", percentile(all, 0.999)).put("errors", errors).toString();
        }

        private static double percentile(long[] sorted, double share) {
            if (sorted.length == 0) {
                return 0;
            }
            return Math.round(sorted[(int) Math.min(sorted.length - 1, sorted.length * share)] / 100.0) / 10.0;
        }
    }
}
