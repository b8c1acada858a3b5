-- wrk: the result as one JSON line.
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        'RESULT {"requests":%d,"duration_us":%d,"bad":%d,"lost":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"max_us":%d}\n',
        summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
