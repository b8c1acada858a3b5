-- wrk: one Matomo hit per request, the 1000 of the file that BENCH_QUERIES names in turn.
local requests, at = {}, 0

function init(args)
    wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    wrk.headers["Referer"] = "https://shop.example.org/catalogue/shoes?page=2"
    for query in io.lines(os.getenv("BENCH_QUERIES")) do
        requests[#requests + 1] = wrk.format("GET", "/matomo.php?" .. query)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

dofile(os.getenv("BENCH_DONE"))
