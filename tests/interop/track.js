// npm's matomo-tracker, unchanged: node track.js URL COUNT. Prints one JSON line per finished call.
const MatomoTracker = require('matomo-tracker');
const [url, count] = [process.argv[2], Number(process.argv[3])];
const matomo = new MatomoTracker(1, url);
const say = (what) => console.log(JSON.stringify(what));

matomo.on('error', (error) => {
    say({ error: String(error) });
    process.exitCode = 1;
});

for (let i = 0; i < count; i++) {
    matomo.track({
        url: `http://h.example/page/${i}`, action_name: `Söme page ${i} & more`, e_c: 'interop', e_a: 'track', e_n: `single-${i}`,
        ua: 'Node.js', cvar: JSON.stringify({ 1: ['a', 'b'] }),
    });
}
const events = Array.from({ length: count }, (_, i) => ({
    url: `http://h.example/bulk/${i}`, action_name: `b${i}`, e_c: 'interop', e_a: 'bulk', e_n: `bulk-${i}`,
}));
matomo.trackBulk(events, (answer) => say({ bulk: JSON.parse(answer) }));
