-- wrk: one Matomo hit per request, the 1000 of the file that BENCH_QUERIES names in turn. BENCH_AGENTS: a file of addresses and
-- user agents to send along, one pair a line, in turn.
local requests, at = {}, 0

function init(args)
    wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    wrk.headers["Referer"] = "https://shop.example.org/catalogue/shoes?page=2"
    local agents = {}
    for line in io.lines(os.getenv("BENCH_AGENTS") or "/dev/null") do
        agents[#agents + 1] = line
    end
    for query in io.lines(os.getenv("BENCH_QUERIES")) do
        if #agents > 0 then
            wrk.headers["X-Forwarded-For"], wrk.headers["User-Agent"] = agents[#requests % #agents + 1]:match("^(%S+) (.*)$")
        end
        requests[#requests + 1] = wrk.format("GET", "/matomo.php?" .. query)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

dofile(os.getenv("BENCH_DONE"))
