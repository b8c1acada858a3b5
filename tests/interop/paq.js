/* A test client, not matomo.js: it understands the commands of the _paq queue that the pages of these tests use, and
   sends them in the wire forms that were captured from matomo.js 5 (order of the parameters, transports, content
   types), so that a server can be tested where matomo.js itself cannot be had. Nothing else of it is like matomo.js. */
(function () {
    'use strict';
    const FORM = 'application/x-www-form-urlencoded; charset=UTF-8';
    const QUERY_MAX = 2000, QUEUE_MAX = 50, QUEUE_MS = 2500;
    const now = () => Math.round(Date.now() / 1000);
    const hex = (count) => Array.from(crypto.getRandomValues(new Uint8Array(count / 2)), (b) => b.toString(16).padStart(2, '0')).join('');
    const pageViewId = () => Array.from(crypto.getRandomValues(new Uint8Array(6)), (b) => 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqr0123456789'[b % 50]).join('');

    const set = { method: 'GET', beacon: true, type: FORM, dimensions: {}, view: null, referrer: document.referrer };
    let visitor, isNew, pageId = pageViewId(), hints, items = [], queue = [], timer;

    /* What became of each request, for the page: a list of promises of texts. */
    const outcomes = window.paqOutcomes = [];

    /* ---- transports ---- */

    function beacon(url, body, type) {
        return navigator.sendBeacon(url, new Blob([body], { type })) ? 'queued' : 'refused';
    }

    function image(url) {
        return new Promise((resolve) => {
            const pixel = new Image(1, 1);
            pixel.onload = () => resolve(`image ${pixel.naturalWidth}x${pixel.naturalHeight}`);
            pixel.onerror = () => resolve('no image');
            pixel.src = url;
        });
    }

    function xhr(body, otherwise) {
        return new Promise((resolve) => {
            const request = new XMLHttpRequest();
            request.open('POST', set.url, true);
            request.withCredentials = true;
            request.setRequestHeader('Content-Type', set.type);
            request.onreadystatechange = () => {
                if (request.readyState === 4) {
                    const good = request.status >= 200 && request.status < 300;
                    resolve(good || !otherwise ? `xhr ${request.status} ${request.responseText}` : otherwise());
                }
            };
            request.send(body);
        });
    }

    function sendOne(query) {
        const asImage = () => image(`${set.url}?${query.replace('send_image=0', 'send_image=1')}`);
        if (set.method === 'POST' || query.length > QUERY_MAX)
            return set.beacon ? beacon(set.url, query, FORM) : xhr(query, asImage);
        return set.beacon ? beacon(`${set.url}?${query}`, '', FORM) : asImage();
    }

    function sendBulk(queries) {
        const body = JSON.stringify({ requests: queries.map((q) => `?${q}`), send_image: 0 });
        return set.beacon ? beacon(set.url, body, FORM) : xhr(body);
    }

    function flush() {
        clearTimeout(timer);
        timer = undefined;
        while (queue.length) {
            const part = queue.splice(0, QUEUE_MAX);
            outcomes.push(part.length === 1 ? sendOne(part[0]) : sendBulk(part));
        }
    }

    function enqueue(query) {
        queue.push(query);
        timer = timer || setTimeout(flush, QUEUE_MS);
    }

    /* ---- the query ---- */

    const pair = ([name, value]) => `${name}=${encodeURIComponent(value)}`;
    const given = (pairs) => pairs.filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false);

    function timing() {
        const t = performance.getEntriesByType('navigation')[0];
        const spans = t ? [['pf_net', t.fetchStart, t.connectEnd], ['pf_srv', t.requestStart, t.responseStart], ['pf_tfr', t.responseStart, t.responseEnd],
            ['pf_dm1', t.responseEnd, t.domInteractive], ['pf_dm2', t.domInteractive, t.domComplete], ['pf_onl', t.loadEventStart, t.loadEventEnd]] : [];
        return spans.filter(([, from, to]) => from > 0 && to >= from).map(([name, from, to]) => [name, Math.round(to - from)]);
    }

    function product() {
        const [sku, name, category, price] = set.view || [];
        set.view = null;
        return given([['_pkp', price], ['_pks', sku], ['_pkn', name], ['_pkc', Array.isArray(category) ? JSON.stringify(category) : category]]);
    }

    /* action: pairs of its own; more: what stands before pv_id. */
    function compose(action, more = []) {
        const clock = new Date();
        return [
            ...given(action), ['idsite', set.site], ['rec', 1], ['r', String(Math.random()).slice(2, 8)],
            ['h', clock.getHours()], ['m', clock.getMinutes()], ['s', clock.getSeconds()], ['url', set.pageUrl || location.href],
            ...given([['urlref', set.referrer], ['uid', set.user]]), ['_id', visitor], ['_idn', isNew ? 1 : 0], ['send_image', 0],
            ['_refts', set.referrer ? now() : 0], ...given([['_ref', set.referrer]]),
            ...Object.entries(set.dimensions).map(([id, value]) => [`dimension${id}`, value]), ...product(),
            ['pv_id', pageId], ...more, ...(hints ? [['uadata', JSON.stringify(hints)]] : []),
            ['pdf', navigator.pdfViewerEnabled ? 1 : 0], ['qt', 0], ['realp', 0], ['wma', 0], ['fla', 0], ['java', 0], ['ag', 0],
            ['cookie', navigator.cookieEnabled ? 1 : 0], ['res', `${screen.width}x${screen.height}`],
        ].map(pair).join('&');
    }

    const send = (action, more) => outcomes.push(sendOne(compose(action, more)));

    /* ---- commands ---- */

    const commands = {
        setTrackerUrl: (url) => { set.url = url; },
        setSiteId: (site) => { set.site = site; },
        setUserId: (user) => { set.user = user; },
        setCustomUrl: (url) => { set.pageUrl = url; },
        setReferrerUrl: (url) => { set.referrer = url; },
        setDocumentTitle: (title) => { set.title = title; },
        setCustomDimension: (id, value) => { set.dimensions[id] = value; },
        deleteCustomDimension: (id) => { delete set.dimensions[id]; },
        setRequestMethod: (method) => { set.method = method; },
        setRequestContentType: (type) => { set.type = type; },
        alwaysUseSendBeacon: () => { set.beacon = true; },
        disableAlwaysUseSendBeacon: () => { set.beacon = false; },
        enableHeartBeatTimer: () => {}, /* the tests ping themselves: nobody looks at a headless page */
        enableLinkTracking: (active) => { set.links = active !== false; },
        trackPageView: (title) => {
            pageId = pageViewId();
            send([['action_name', title || set.title || document.title]], timing());
        },
        trackEvent: (category, action, name, value) => send([['e_c', category], ['e_a', action], ['e_n', name], ['e_v', value], ['ca', 1]]),
        trackGoal: (goal, revenue) => send([['idgoal', goal], ['revenue', revenue]]),
        trackSiteSearch: (keyword, category, count) => send([['search', keyword], ['search_cat', category], ['search_count', count]]),
        trackLink: (url, kind) => send([[kind, url]]),
        ping: () => send([['ping', 1]]),
        addEcommerceItem: (...item) => { items.push(item); },
        setEcommerceView: (...view) => { set.view = view; },
        trackEcommerceOrder: (id, revenue, subtotal, tax, shipping, discount) => {
            send([['idgoal', '0'], ['ec_id', id], ['revenue', revenue], ['ec_st', subtotal], ['ec_tx', tax], ['ec_sh', shipping],
                ['ec_dt', discount === false ? undefined : discount], ['ec_items', JSON.stringify(items)]]);
            items = [];
        },
        trackEcommerceCartUpdate: (revenue) => send([['idgoal', '0'], ['revenue', revenue], ['ec_items', JSON.stringify(items)]]),
        trackContentImpression: (name, piece, target) => enqueue(compose([['c_n', name], ['c_p', piece], ['c_t', target], ['ca', 1]])),
        trackContentInteraction: (how, name, piece, target) => send([['c_n', name], ['c_p', piece], ['c_t', target], ['c_i', how], ['ca', 1]]),
        queueRequest: (query) => enqueue(`${query}&${compose([])}`),
    };

    function run([name, ...args]) {
        if (!commands[name])
            throw new Error(`paq.js: the test client has no command ${name}`);
        commands[name](...args);
    }

    /* ---- the start ---- */

    function knowVisitor() {
        const cookie = `_pk_id.${set.site || 1}.dc78`;
        const old = document.cookie.split('; ').find((c) => c.startsWith(`${cookie}=`));
        isNew = !old;
        visitor = old ? old.split('=')[1].split('.')[0] : hex(16);
        document.cookie = `${cookie}=${visitor}.${now()}.; path=/; max-age=33955200; SameSite=Lax`;
    }

    async function knowHints() {
        if (!navigator.userAgentData)
            return;
        hints = await navigator.userAgentData.getHighEntropyValues(['brands', 'model', 'platform', 'platformVersion', 'uaFullVersion', 'fullVersionList',
            'formFactors']);
        delete hints.brands;
        delete hints.uaFullVersion;
    }

    function onClick(event) {
        const link = event.target.closest && event.target.closest('a[href]');
        if (set.links && link && link.host !== location.host)
            run(['trackLink', link.href, /\.(zip|pdf|gz)$/.test(link.pathname) ? 'download' : 'link']);
    }

    async function start() {
        const waiting = window._paq || [];
        const setters = waiting.filter(([name]) => /^(set|enable|disable|always)/.test(name));
        setters.forEach(run);
        knowVisitor();
        await knowHints();
        waiting.filter((command) => !setters.includes(command)).forEach(run);
        window._paq = { push: (...list) => list.forEach(run) };
        addEventListener('pagehide', flush);
        document.addEventListener('click', onClick, true);
        window.paqStarted();
    }

    window.paqReady = new Promise((resolve) => { window.paqStarted = resolve; });
    start();
})();
