package clowder.interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * Line commands on standard input, one line of answer each on standard output.
 *
 * <p>End of input means that the test is gone: the process ends at once, so that no peer outlives its test.
 */
final class Commands {
    interface Handler {
        /** The answer, or null after an orderly stop: the loop then ends. */
        String handle(String[] words) throws Exception;
    }

    private Commands() {
    }

    static void loop(Handler handler) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = handler.handle(line.trim().split(" +"));
            } catch (Exception e) {
                answer = "ERROR " + e;
            }
            if (answer == null) {
                print("{\"stopped\":true}");
                System.exit(0);
            }
            print(answer);
        }
        Runtime.getRuntime().halt(3);
    }

    static void print(String line) {
        synchronized (System.out) {
            System.out.println(line);
            System.out.flush();
        }
    }
}
