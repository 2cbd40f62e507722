package clowder.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Command line of a peer: {@code --name value} pairs, names may repeat.
 *
 * <p>Every name must be asked for by the program before {@link #refuseUnknown()}: a misspelt option of a
 * test must stop the peer and not be ignored.
 */
final class Args {
    private final Map<String, List<String>> values = new HashMap<>();
    private final List<String> asked = new ArrayList<>();

    Args(String[] argv) {
        for (int i = 0; i < argv.length; i += 2) {
            if (!argv[i].startsWith("--") || i + 1 == argv.length) {
                throw new IllegalArgumentException("expected --name value, found " + argv[i]);
            }
            values.computeIfAbsent(argv[i].substring(2), k -> new ArrayList<>()).add(argv[i + 1]);
        }
    }

    List<String> all(String name) {
        asked.add(name);
        return values.getOrDefault(name, List.of());
    }

    String text(String name, String otherwise) {
        List<String> all = all(name);
        return all.isEmpty() ? otherwise : all.get(all.size() - 1);
    }

    void set(String name, String value) {
        values.put(name, List.of(value));
    }

    int number(String name, int otherwise) {
        return Integer.parseInt(text(name, Integer.toString(otherwise)));
    }

    boolean flag(String name, boolean otherwise) {
        return Boolean.parseBoolean(text(name, Boolean.toString(otherwise)));
    }

    void refuseUnknown() {
        for (String name : values.keySet()) {
            if (!asked.contains(name)) {
                throw new IllegalArgumentException("unknown option --" + name);
            }
        }
    }
}
