<?php
// What the PHP tracker sends through PHP's curl extension: php track.php BASE. Prints one JSON line per answer.
// The forms were captured from it; this script is ours and has no visitor of its own.
[$base, $userAgent] = [$argv[1], 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'];
$token = str_repeat('0', 31) . 'a';

function send(string $url, array $options, string $name): void
{
    global $userAgent;
    $curl = curl_init();
    curl_setopt_array($curl, $options + [
        CURLOPT_URL => $url, CURLOPT_USERAGENT => $userAgent, CURLOPT_HEADER => true, CURLOPT_TIMEOUT => 30, CURLOPT_CONNECTTIMEOUT => 10,
        CURLOPT_RETURNTRANSFER => true, CURLOPT_FOLLOWLOCATION => true, CURLOPT_HTTPHEADER => ['Accept-Language: de-DE,de;q=0.8'],
    ]);
    $answer = curl_exec($curl);
    $size = curl_getinfo($curl, CURLINFO_HEADER_SIZE);
    echo json_encode(['name' => $name, 'status' => curl_getinfo($curl, CURLINFO_RESPONSE_CODE), 'error' => curl_error($curl),
        'type' => curl_getinfo($curl, CURLINFO_CONTENT_TYPE), 'body' => base64_encode(substr((string) $answer, $size))]), "\n";
    curl_close($curl);
}

/** The query of one hit, in the order in which the tracker writes it. */
function query(string $title): string
{
    return http_build_query(['idsite' => 1, 'rec' => 1, 'apiv' => 1, 'r' => 930540, '_idts' => 1795310590, '_id' => '046c8f8626864670',
        'url' => "http://h.example/a b?x=1&y=\u{e4}", 'urlref' => 'https://x.example/', 'pv_id' => '246db1', 'action_name' => $title]);
}

$form = ['Content-Type: application/x-www-form-urlencoded', 'Accept-Language: fr-FR,fr;q=0.8'];
send("$base/matomo.php?" . query('get'), [], 'get');
send("$base/matomo.php?" . query('token') . '&cip=203.0.113.77&cdt=' . urlencode('2026-11-01 02:03:04'),
    [CURLOPT_POST => true, CURLOPT_POSTFIELDS => "token_auth=$token", CURLOPT_HTTPHEADER => $form], 'token');
send("$base/matomo.php?" . query('no token') . '&cip=203.0.113.77', [], 'no token');
send("$base/matomo.php", [CURLOPT_POST => true, CURLOPT_POSTFIELDS => query('form'), CURLOPT_HTTPHEADER => $form], 'form');
send("$base/matomo.php?" . query('image'). '&send_image=0', [], 'image');

$items = ["$base/matomo.php?" . query('bulk 0') . '&ua=' . urlencode($userAgent) . '&lang=' . urlencode('fr-FR,fr;q=0.8'),
    "$base/matomo.php?" . query('bulk 1'), "$base/matomo.php?" . query("bulk \u{fc} \"2\"") . '&e_c=c&e_a=a&e_n=n&e_v=1.5'];
send("$base/matomo.php", [CURLOPT_POST => true, CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Expect:'],
    CURLOPT_POSTFIELDS => json_encode(['requests' => $items, 'token_auth' => $token])], 'bulk');
// A body larger than 1,024 bytes makes curl ask first, with Expect: 100-continue, where the header was not taken away.
send("$base/matomo.php", [CURLOPT_POST => true, CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Expect: 100-continue'],
    CURLOPT_POSTFIELDS => json_encode(['requests' => array_fill(0, 20, $items[1])])], 'expect');
