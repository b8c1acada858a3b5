// Opens one page in headless Chromium: node drive.js CHROMIUM PROFILE-FOLDER URL. Prints what window.finished resolves to as
// a JSON line, leaves the page (so that it says goodbye), prints {"left": true}, and closes the browser when its own
// standard input ends: until then what the browser still has to send can arrive.
const { chromium } = require('playwright-core');
const [executablePath, profile, url] = process.argv.slice(2);
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];
const TIMEOUT_MS = 120000;

const ended = new Promise((resolve) => process.stdin.on('end', resolve).on('close', resolve).resume());

async function main() {
    const browser = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS, headless: true, timeout: TIMEOUT_MS });
    try {
        const page = browser.pages()[0] || await browser.newPage();
        page.setDefaultTimeout(TIMEOUT_MS);
        page.on('pageerror', (error) => console.log(JSON.stringify({ error: String(error) })));
        await page.goto(url);
        console.log(JSON.stringify({ version: browser.browser() ? browser.browser().version() : '', finished: await page.evaluate(() => window.finished) }));
        await page.goto('about:blank');
        console.log(JSON.stringify({ left: true }));
        await ended;
    } finally {
        await browser.close();
    }
}

main().then(() => process.exit(0), (error) => {
    console.log(JSON.stringify({ error: String(error) }));
    process.exit(1);
});
