package clowder.interop;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.catalina.tribes.ChannelInterceptor;
import org.apache.catalina.tribes.group.interceptors.DomainFilterInterceptor;
import org.apache.catalina.tribes.group.interceptors.EncryptInterceptor;
import org.apache.catalina.tribes.group.interceptors.FragmentationInterceptor;
import org.apache.catalina.tribes.group.interceptors.GzipInterceptor;
import org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor;
import org.apache.catalina.tribes.group.interceptors.NonBlockingCoordinator;
import org.apache.catalina.tribes.group.interceptors.OrderInterceptor;
import org.apache.catalina.tribes.group.interceptors.SimpleCoordinator;
import org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor;
import org.apache.catalina.tribes.group.interceptors.TcpFailureDetector;
import org.apache.catalina.tribes.group.interceptors.TcpPingInterceptor;
import org.apache.catalina.tribes.group.interceptors.ThroughputInterceptor;
import org.apache.catalina.tribes.group.interceptors.TwoPhaseCommitInterceptor;
import org.apache.tomcat.util.IntrospectionUtils;

/**
 * Interceptors from the text that Clowder's {@code --chain} takes, so that one text configures both sides: names
 * from the application to the wire, attributes in parentheses under the names of Tomcat's setters. Example:
 * {@code gzip(compressionMinSize=100),order(optionFlag=512)}. Commas inside of braces do not separate.
 *
 * <p>What only Clowder has ({@code generation}) is passed over.
 */
final class ChainText {
    private static final List<String> CLOWDERS_OWN = List.of("generation");

    private ChainText() {
    }

    /** A name with attributes. */
    static final class Element {
        final String name;
        final Map<String, String> attributes = new LinkedHashMap<>();

        Element(String text) {
            int open = text.indexOf('(');
            if (open < 0) {
                name = text;
                return;
            }
            if (!text.endsWith(")")) {
                throw new IllegalArgumentException("no ) at the end of " + text);
            }
            name = text.substring(0, open);
            for (String pair : split(text.substring(open + 1, text.length() - 1))) {
                int equals = pair.indexOf('=');
                attributes.put(pair.substring(0, equals), pair.substring(equals + 1));
            }
        }

        /** Calls the setters of {@code target}. */
        <T> T configure(T target) {
            attributes.forEach((attribute, value) -> {
                boolean passedOver = CLOWDERS_OWN.contains(attribute);
                if (!passedOver && !IntrospectionUtils.setProperty(target, attribute, value)) {
                    throw new IllegalArgumentException(target.getClass().getName() + " has no " + attribute);
                }
            });
            return target;
        }
    }

    static List<ChannelInterceptor> parse(String text) {
        List<ChannelInterceptor> interceptors = new ArrayList<>();
        for (String part : split(text)) {
            Element element = new Element(part);
            interceptors.add(element.configure(named(element.name)));
        }
        return interceptors;
    }

    /** At the commas outside of parentheses and braces. */
    private static List<String> split(String text) {
        List<String> parts = new ArrayList<>();
        int depth = 0;
        int begin = 0;
        for (int i = 0; i <= text.length(); i++) {
            char c = i < text.length() ? text.charAt(i) : ',';
            if (c == '(' || c == '{') {
                depth++;
            } else if (c == ')' || c == '}') {
                depth--;
            } else if (c == ',' && (depth == 0 || i == text.length())) {
                if (i > begin) {
                    parts.add(text.substring(begin, i));
                }
                begin = i + 1;
            }
        }
        return parts;
    }

    private static ChannelInterceptor named(String name) {
        switch (name) {
            case "dispatch":
                return new MessageDispatchInterceptor();
            case "failure-detector":
                return new TcpFailureDetector();
            case "ping":
                return new TcpPingInterceptor();
            case "static":
                return new StaticMembershipInterceptor();
            case "domain":
                return new DomainFilterInterceptor();
            case "fragment":
                return new FragmentationInterceptor();
            case "gzip":
                return new GzipInterceptor();
            case "order":
                return new OrderInterceptor();
            case "two-phase":
                return new TwoPhaseCommitInterceptor();
            case "throughput":
                return new ThroughputInterceptor();
            case "encrypt":
                return new EncryptInterceptor();
            case "coordinator":
                return new NonBlockingCoordinator();
            case "simple-coordinator":
                return new SimpleCoordinator();
            default:
                throw new IllegalArgumentException("no interceptor is called " + name);
        }
    }
}
