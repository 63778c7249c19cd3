import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Executors;

/** The Java upstream of the path corpus; see ../main.go for what it writes. */
public final class Upstream {
    static boolean guarded(String p) {
        return p.startsWith("/admin/") || p.startsWith("/private");
    }

    static String decode(String p) {
        try {
            return URLDecoder.decode(p.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return p;
        }
    }

    static String normal(String p) {
        try {
            return Path.of("/" + p).normalize().toString();
        } catch (InvalidPathException e) {
            return p;
        }
    }

    /** Takes the parameters off each segment, as a servlet container does. */
    static String bare(String p) {
        return p.replaceAll(";[^/]*", "");
    }

    static String sloppy(String p) {
        for (int i = 0; i < 4; i++) {
            p = decode(p);
        }
        p = p.split("\0", 2)[0].split("#", 2)[0].split("\\?", 2)[0].replace('\\', '/');
        return normal(bare(p)).toLowerCase(Locale.ROOT);
    }

    /** The ways in which programs in Java find the path of a request. */
    static Map<String, String> readings(URI uri, String context) {
        String raw = uri.getRawPath() == null ? "" : uri.getRawPath();
        String path = uri.getPath() == null ? "" : uri.getPath();
        Map<String, String> found = new LinkedHashMap<>();
        found.put("context", context);
        found.put("raw", raw);
        found.put("getPath", path);
        String normalized = uri.normalize().getPath();
        found.put("normalize", normalized == null ? "" : normalized);
        found.put("nio", normal(path));
        found.put("servlet", normal(decode(bare(raw))));
        found.put("servlet, decoded first", normal(bare(decode(raw))));
        found.put("sloppy", sloppy(raw));
        return found;
    }

    static String quoted(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\' || c < ' ' || c > '~') {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.append('"').toString();
    }

    static void answer(HttpExchange x, String context) throws IOException {
        x.getRequestBody().readAllBytes();
        List<String> reached = new ArrayList<>();
        readings(x.getRequestURI(), context).forEach((name, p) -> {
            if (guarded(p)) {
                reached.add(quoted(name));
            }
        });
        List<String> fields = new ArrayList<>();
        x.getRequestHeaders().forEach((name, values) ->
            values.forEach(v -> fields.add("[" + quoted(name) + "," + quoted(v) + "]")));
        String id = x.getRequestHeaders().getFirst("X-Case");
        String line = "{\"case\":" + quoted(id == null ? "" : id) + ",\"method\":" + quoted(x.getRequestMethod())
            + ",\"target\":" + quoted(x.getRequestURI().toString()) + ",\"reached\":[" + String.join(",", reached)
            + "],\"fields\":[" + String.join(",", fields) + "]}";
        synchronized (System.out) {
            System.out.println(line);
        }
        byte[] body = "reached\n".getBytes(StandardCharsets.UTF_8);
        x.getResponseHeaders().add("Remote-User", "of the upstream");
        x.getResponseHeaders().add("Set-Cookie", "gatehouse-login-a=of the upstream");
        x.getResponseHeaders().add("Set-Cookie", "app=1");
        boolean head = x.getRequestMethod().equals("HEAD");
        x.sendResponseHeaders(200, head ? -1 : body.length);
        if (!head) {
            x.getResponseBody().write(body);
        }
        x.close();
    }

    public static void main(String[] args) throws IOException {
        String[] at = args[0].split(":");
        HttpServer server = HttpServer.create(new InetSocketAddress(at[0], Integer.parseInt(at[1])), 128);
        for (String context : new String[] {"/admin/", "/private", "/"}) {
            server.createContext(context, x -> answer(x, context));
        }
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
    }
}
