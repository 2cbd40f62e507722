package clowder.interop;

/** The little JSON that the peers print: strings and objects built in order. */
final class Json {
    private final StringBuilder out = new StringBuilder("{");

    Json put(String name, Object value) {
        if (out.length() > 1) {
            out.append(',');
        }
        out.append(quoted(name)).append(':');
        if (value == null || value instanceof Number || value instanceof Boolean || value instanceof Json) {
            out.append(value);
        } else if (value instanceof Iterable<?>) {
            StringBuilder list = new StringBuilder();
            for (Object element : (Iterable<?>) value) {
                list.append(list.length() == 0 ? "" : ",");
                boolean plain = element instanceof Json || element instanceof Number;
                list.append(plain ? element.toString() : quoted(element.toString()));
            }
            out.append('[').append(list).append(']');
        } else {
            out.append(quoted(value.toString()));
        }
        return this;
    }

    static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    @Override
    public String toString() {
        return out + "}";
    }
}
