package clowder.interop;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * A user's own session attribute: a class that no peer but the Tomcats with this application can load.
 * It refers to itself and to a shared list, so that a peer which passes it on must keep handles right.
 */
public final class Bean implements Serializable {
    private static final long serialVersionUID = 42L;

    private final String text;
    private final List<String> parts = new ArrayList<>();
    private final List<String> sameParts = parts;
    private final Bean self = this;
    private final long[] numbers = {1, -1, Long.MAX_VALUE};

    public Bean(String text) {
        this.text = text;
        parts.add(text);
        parts.add("second");
    }

    /** Names every way in which the object may have been harmed, else only the text. */
    @Override
    public String toString() {
        if (self != this) {
            return "broken self reference";
        }
        if (parts != sameParts) {
            return "broken shared reference";
        }
        if (numbers.length != 3 || numbers[2] != Long.MAX_VALUE || !parts.equals(List.of(text, "second"))) {
            return "broken content";
        }
        return "Bean " + text;
    }
}
