<?php
// A receiver of Petstore's callbacks, in PHP 8; no packages.
//
//     CALLBACK_SECRET=whsec_cGV0c3RvcmUtZGV2ZWxvcG1lbnQtc2VjcmV0 php -S 127.0.0.1:3000 receiver.php

const MAX_BODY = 1 << 20;
const TOLERANCE = 300; // seconds

// Reports whether body was signed with our secret lately (Standard Webhooks).
function genuine(string $secret, string $body): bool
{
    $stamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (!ctype_digit($stamp) || abs(time() - (int) $stamp) > TOLERANCE) {
        return false;
    }
    $key = str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, 6)) : $secret;
    $signed = ($_SERVER['HTTP_WEBHOOK_ID'] ?? '') . ".$stamp.$body";
    $want = 'v1,' . base64_encode(hash_hmac('sha256', $signed, $key, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $signature) {
        if (hash_equals($want, $signature)) {
            return true;
        }
    }
    return false;
}

// Calls $work with what is stored under $name, for one process at a time, and stores what it returns.
// (Where there is a database, store it in the transaction that does the work.)
function locked(string $folder, string $name, callable $work): void
{
    $file = fopen($folder . '/' . hash('sha256', $name), 'c+');
    flock($file, LOCK_EX);
    $after = $work(stream_get_contents($file));
    ftruncate($file, 0);
    rewind($file);
    fwrite($file, (string) $after);
    fclose($file); // unlocks
}

function process(string $folder, string $id, array $update): string
{
    $answer = 'Already processed';
    locked($folder, "callback $id", function (string $done) use ($folder, $update, &$answer) {
        if ($done === '') {
            $answer = 'OK';
            locked($folder, 'order ' . $update['order_id'], fn (string $last) => work($update, (int) $last));
        }
        return 'done';
    });
    return $answer;
}

// Does the work, and returns the sequence of the newest update. What comes late changes nothing.
function work(array $update, int $last): int
{
    if ($update['sequence'] <= $last) {
        return $last;
    }
    file_put_contents('php://stdout', "{$update['order_id']} {$update['status']}\n");
    return $update['sequence'];
}

function answer(int $status, string $text): never
{
    http_response_code($status);
    header('Content-Type: text/plain; charset=utf-8');
    exit($text);
}

ini_set('display_errors', '0');
$secret = getenv('CALLBACK_SECRET') ?: throw new RuntimeException('CALLBACK_SECRET is not set');
$folder = getenv('STATE') ?: sys_get_temp_dir() . '/petstore-callbacks';
is_dir($folder) || @mkdir($folder, 0700, true);

if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    answer(405, 'Method not allowed');
}
$body = file_get_contents('php://input', length: MAX_BODY + 1);
if (strlen($body) > MAX_BODY) {
    answer(413, 'Body too long');
}
if (!genuine($secret, $body)) {
    answer(401, 'Invalid signature');
}
$update = json_decode($body, true);
if (!is_array($update)) {
    answer(400, 'Invalid body');
}
$update += ['callback_id' => $_SERVER['HTTP_WEBHOOK_ID'], 'order_id' => '', 'sequence' => 0, 'status' => ''];
if (!is_string($update['callback_id']) || !is_string($update['order_id']) || !is_int($update['sequence']) || !is_string($update['status'])) {
    answer(400, 'Invalid body');
}
answer(200, process($folder, $update['callback_id'], $update));
