package clowder.interop;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The sample application {@code /s?op=...}, the Java twin of the one in {@code clowder node}. Answers
 * {@code {"session":ID,"maxInactive":SECONDS,"attrs":{NAME:"java.class.Name:text"}}}.
 *
 * <p>{@code bean} exists only here: it stores an object of a class that the other side does not know.
 */
public final class SampleServlet extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String op = request.getParameter("op");
        String body;
        try {
            body = answer(op == null ? "inc" : op, request);
        } catch (IllegalArgumentException e) {
            response.setStatus(HttpServletResponse.SC_BAD_REQUEST);
            body = new Json().put("error", String.valueOf(e.getMessage())).toString();
        }
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        response.setContentType("application/json");
        response.setContentLength(bytes.length);
        response.getOutputStream().write(bytes);
    }

    private static String answer(String op, HttpServletRequest request) {
        if (op.equals("get") || op.equals("dump")) {
            HttpSession session = request.getSession(false);
            return session == null ? "{\"session\":null}" : dump(session);
        }
        if (op.equals("invalidate")) {
            HttpSession session = request.getSession(false);
            if (session != null) {
                session.invalidate();
            }
            return "{\"session\":\"invalidated\"}";
        }
        change(op, request, request.getSession(true));
        return dump(request.getSession(false));
    }

    private static void change(String op, HttpServletRequest request, HttpSession session) {
        switch (op) {
            case "inc":
                Object count = session.getAttribute("count");
                session.setAttribute("count", count instanceof Integer ? (Integer) count + 1 : 1);
                break;
            case "set":
                session.setAttribute(need(request, "name"), typed(request.getParameter("type"), need(request, "value")));
                break;
            case "bean":
                session.setAttribute(need(request, "name"), new Bean(need(request, "value")));
                break;
            case "remove":
                session.removeAttribute(need(request, "name"));
                break;
            case "pad":
                byte[] pad = new byte[Integer.parseInt(need(request, "bytes"))];
                ThreadLocalRandom.current().nextBytes(pad);
                session.setAttribute("pad", pad);
                break;
            case "maxinactive":
                session.setMaxInactiveInterval(Integer.parseInt(need(request, "value")));
                break;
            case "newid":
                request.changeSessionId();
                break;
            default:
                throw new IllegalArgumentException("unknown op " + op);
        }
    }

    private static String need(HttpServletRequest request, String name) {
        String value = request.getParameter(name);
        if (value == null) {
            throw new IllegalArgumentException("missing parameter " + name);
        }
        return value;
    }

    private static Object typed(String type, String text) {
        switch (type == null ? "string" : type) {
            case "string": return text;
            case "int": return Integer.valueOf(text);
            case "long": return Long.valueOf(text);
            case "double": return Double.valueOf(text);
            case "bool": return Boolean.valueOf(text);
            case "list": return new ArrayList<>(Arrays.asList(text.split(",")));
            case "map": return map(text);
            case "date": return new Date(Long.parseLong(text));
            case "uuid": return UUID.fromString(text);
            case "decimal": return new BigDecimal(text);
            case "instant": return Instant.parse(text);
            default: throw new IllegalArgumentException("unknown type " + type);
        }
    }

    private static Map<String, String> map(String text) {
        Map<String, String> map = new HashMap<>();
        for (String entry : text.split(",")) {
            String[] pair = entry.split("=", 2);
            if (pair.length != 2) {
                throw new IllegalArgumentException("a map is k=v,k=v");
            }
            map.put(pair[0], pair[1]);
        }
        return map;
    }

    private static String dump(HttpSession session) {
        List<String> names = new ArrayList<>(Collections.list(session.getAttributeNames()));
        Collections.sort(names);
        Json attributes = new Json();
        for (String name : names) {
            Object value = session.getAttribute(name);
            if (value != null) { // another request may have removed it meanwhile
                attributes.put(name, describe(value));
            }
        }
        return new Json().put("session", session.getId()).put("maxInactive", session.getMaxInactiveInterval())
                .put("attrs", attributes).toString();
    }

    private static String describe(Object value) {
        String text = value instanceof byte[] ? "len" + ((byte[]) value).length : value.toString();
        return value.getClass().getName() + ":" + text;
    }

    /** Attributes for the peer's own look at a session, without a request and thus without touching it. */
    static Json describeAll(Map<String, Object> attributes) {
        Json json = new Json();
        new TreeMap<>(attributes).forEach((name, value) -> json.put(name, describe(value)));
        return json;
    }
}
