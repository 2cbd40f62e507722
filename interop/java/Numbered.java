package clowder.interop;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.zip.CRC32;

/**
 * Bodies that tell whether anything was lost, repeated, overtaken or damaged. {@code clowder channel send --size}
 * makes the same; numbers are big endian:
 *
 * <pre>
 *  0  4  "CWN1"
 *  4  4  CRC-32 of all bytes behind it
 *  8  4  sender: the first four bytes of its unique id
 * 12  4  lane: one thread of one run, random
 * 16  4  number in its lane, from 0
 * 20     filler: even numbers have bytes that compress, odd ones bytes that do not
 * </pre>
 *
 * A body that is too short for that is filler alone.
 */
final class Numbered {
    static final int HEADER = 20;
    private static final int MAGIC = 0x43574e31;

    /** Of what was received: {@code sender:lane}. */
    final String lane;
    final int number;
    final boolean intact;

    private Numbered(String lane, int number, boolean intact) {
        this.lane = lane;
        this.number = number;
        this.intact = intact;
    }

    static byte[] make(byte[] uniqueId, int lane, int number, int size) {
        byte[] body = new byte[size];
        int state = lane * 31 + number | 1;
        for (int i = 0; i < size; i++) {
            state ^= state << 13;
            state ^= state >>> 17;
            state ^= state << 5;
            body[i] = (byte) (number % 2 == 0 ? number + i : state);
        }
        if (size >= HEADER) {
            ByteBuffer header = ByteBuffer.wrap(body);
            header.putInt(MAGIC).putInt(0).put(uniqueId, 0, 4).putInt(lane).putInt(number);
            header.putInt(4, sum(body));
        }
        return body;
    }

    /** Null if it is none. */
    static Numbered read(byte[] body) {
        ByteBuffer header = ByteBuffer.wrap(body);
        if (body.length < HEADER || header.getInt(0) != MAGIC) {
            return null;
        }
        String lane = String.format("%08x:%08x", header.getInt(8), header.getInt(12));
        return new Numbered(lane, header.getInt(16), header.getInt(4) == sum(body));
    }

    private static int sum(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body, 8, body.length - 8);
        return (int) crc.getValue();
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** SHA-256 over the sorted SHA-256 of all bodies: equal for equal bodies, in whatever order. */
    static String digest(Iterable<byte[]> digests) {
        byte[][] sorted = java.util.stream.StreamSupport.stream(digests.spliterator(), false).toArray(byte[][]::new);
        Arrays.sort(sorted, Arrays::compareUnsigned);
        ByteBuffer all = ByteBuffer.allocate(32 * sorted.length);
        for (byte[] one : sorted) {
            all.put(one);
        }
        return Tribes.hex(sha256(all.array()));
    }
}
