<?php
// The PHP upstream of the path corpus, a router of `php -S`; see ../main.go for what
// it writes, here on the standard error, since the output is the answer.

function guarded(string $p): bool
{
    return str_starts_with($p, '/admin/') || str_starts_with($p, '/private');
}

function normal(string $p): string
{
    $kept = [];
    foreach (explode('/', $p) as $segment) {
        if ($segment === '..') {
            array_pop($kept);
        } elseif ($segment !== '' && $segment !== '.') {
            $kept[] = $segment;
        }
    }
    return '/' . implode('/', $kept);
}

function sloppy(string $p): string
{
    for ($i = 0; $i < 4; $i++) {
        $p = rawurldecode($p);
    }
    $p = str_replace('\\', '/', preg_split('/[\0#?]/', $p, 2)[0]);
    return strtolower(normal(preg_replace('~;[^/]*~', '', $p)));
}

$target = $_SERVER['REQUEST_URI'];
$raw = explode('?', $target, 2)[0];
$readings = [
    'raw' => $raw,
    'decoded' => rawurldecode($raw),
    'urldecode' => urldecode($raw),
    'parse_url' => (string) (parse_url($target, PHP_URL_PATH) ?: ''),
    'normal' => normal(rawurldecode($raw)),
    'SCRIPT_NAME' => $_SERVER['SCRIPT_NAME'] ?? '',
    'PATH_INFO' => $_SERVER['PATH_INFO'] ?? '',
    'PHP_SELF' => $_SERVER['PHP_SELF'] ?? '',
    'sloppy' => sloppy($raw),
];
$reached = array_keys(array_filter($readings, guarded(...)));
// PHP folds the names of fields: what it made of them is what its programs read.
$fields = [];
foreach ($_SERVER as $name => $value) {
    if (str_starts_with($name, 'HTTP_')) {
        $fields[] = [strtr(substr($name, 5), '_', '-'), (string) $value];
    }
}
$line = json_encode([
    'case' => $_SERVER['HTTP_X_CASE'] ?? '', 'method' => $_SERVER['REQUEST_METHOD'], 'target' => $target,
    'reached' => $reached, 'fields' => $fields,
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
file_put_contents('php://stderr', $line . "\n");
header('Remote-User: of the upstream');
header('Set-Cookie: gatehouse-login-a=of the upstream', false);
header('Set-Cookie: app=1', false);
echo "reached\n";
