-- wrk: one bulk request with all events of the body that BENCH_BODY names. BENCH_DELAY_MS: pause before each.
-- BENCH_PATH and BENCH_AUTHORIZATION: where to, and with which key.
local text
local pause_ms = tonumber(os.getenv("BENCH_DELAY_MS") or "0")

function init(args)
    local file = io.open(os.getenv("BENCH_BODY"), "rb")
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    wrk.headers["Authorization"] = os.getenv("BENCH_AUTHORIZATION")
    text = wrk.format("POST", os.getenv("BENCH_PATH") or "/matomo.php", nil, file:read("*a"))
    file:close()
end

function request()
    return text
end

if pause_ms > 0 then
    function delay()
        return pause_ms
    end
end

dofile(os.getenv("BENCH_DONE"))
