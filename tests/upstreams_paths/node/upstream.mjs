// The Node upstream of the path corpus; see ../main.go for what it writes.
import http from "node:http";
import path from "node:path";
import url from "node:url";

const guarded = (p) => p.startsWith("/admin/") || p.startsWith("/private");

const decode = (p) => {
  try {
    return decodeURIComponent(p);
  } catch {
    return p;
  }
};

function sloppy(p) {
  for (let i = 0; i < 4; i++) p = decode(p);
  p = p.split("\0")[0].split("#")[0].split("?")[0].replaceAll("\\", "/");
  p = p.split("/").map((s) => s.split(";")[0]).join("/");
  return path.posix.normalize("/" + p).toLowerCase();
}

// Some take the white space off a segment before they look whether it is "..".
const dots = (s) => (/^\.+$/.test(s.trim()) ? s.trim() : s);

// The ways in which programs in Node find the path of a request.
function readings(target) {
  const raw = target.split("?")[0];
  const found = {
    raw,
    decoded: decode(raw),
    normalize: path.posix.normalize(decode(raw)),
    join: path.posix.join("/", decode(raw)),
    win32: path.win32.normalize(decode(raw)).replaceAll("\\", "/"),
    sloppy: sloppy(raw),
    trimmed: path.posix.normalize(decode(raw.replaceAll("+", " ")).split("/").map(dots).join("/")),
    NFKC: path.posix.normalize(decode(raw).normalize("NFKC")),
  };
  try {
    found.URL = new URL(target, "http://app.example").pathname;
    found["URL decoded"] = path.posix.normalize(decode(found.URL));
  } catch {
    // It would answer 400.
  }
  try {
    found["url.parse"] = url.parse(target).pathname ?? "";
    found["url.parse decoded"] = path.posix.normalize(decode(found["url.parse"]));
  } catch {
    // The same.
  }
  return found;
}

const pairs = (list) => {
  const fields = [];
  for (let i = 0; i < list.length; i += 2) fields.push([list[i], list[i + 1]]);
  return fields;
};

function write(req) {
  const reached = Object.entries(readings(req.url)).filter(([, p]) => guarded(p)).map(([name]) => name);
  const fields = [...pairs(req.rawHeaders), ...pairs(req.rawTrailers)];
  process.stdout.write(JSON.stringify({ case: req.headers["x-case"] ?? "", method: req.method, target: req.url, reached, fields }) + "\n");
}

const server = http.createServer((req, res) => {
  req.resume();
  req.on("end", () => {
    write(req);
    res.setHeader("Remote-User", "of the upstream");
    res.setHeader("Set-Cookie", ["gatehouse-login-a=of the upstream", "app=1"]);
    res.end("reached\n");
  });
});
server.on("upgrade", (req, socket) => {
  write(req);
  socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nRemote-User: of the upstream\r\n\r\n");
});
const [host, port] = process.argv[2].split(":");
server.listen(Number(port), host);
