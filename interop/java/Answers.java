package clowder.interop;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.catalina.tribes.ByteMessage;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.group.RpcCallback;

/** Answers the questions of an RPC channel as it is told, and keeps the answers that were left over. */
final class Answers implements RpcCallback {
    private String how = "echo";
    private String text;
    private int asked;
    private final List<Json> leftOver = new ArrayList<>();

    /** From now on, also for questions that are being held. {@code how}: see {@link ChainNode}. */
    synchronized void set(String how, String text) {
        if (!List.of("echo", "text", "null", "fail", "hold").contains(how)) {
            throw new IllegalArgumentException("no way to answer: " + how);
        }
        this.how = how;
        this.text = text;
        notifyAll();
    }

    @Override
    public synchronized Serializable replyRequest(Serializable message, Member sender) {
        asked++;
        while (how.equals("hold")) {
            try {
                wait();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
        switch (how) {
            case "echo":
                return message;
            case "text":
                return text;
            case "null":
                return null;
            default:
                throw new IllegalStateException("told to fail");
        }
    }

    @Override
    public synchronized void leftOver(Serializable message, Member sender) {
        leftOver.add(answer(sender, message));
    }

    /** Questions and left-over answers since the start. */
    synchronized String report() {
        return new Json().put("asked", asked).put("left_over", leftOver).toString();
    }

    static Json answer(Member from, Serializable answer) {
        String shown = answer instanceof ByteMessage ? Tribes.hex(((ByteMessage) answer).getMessage()) : "" + answer;
        return new Json().put("from", Tribes.name(from)).put("text", shown);
    }
}
