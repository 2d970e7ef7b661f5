-- wrk script: sends the request in the BENCH_ variables, its body out of a file, and compares status and body of every
-- response with what a checked call answered before the window (BENCH_REPLY_FILE).  Prints one line "bench {json}".
local function content(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

wrk.method = os.getenv("BENCH_METHOD")
wrk.body = content(os.getenv("BENCH_BODY_FILE"))
for name, value in os.getenv("BENCH_HEADERS"):gmatch("([^\n:]+): ([^\n]*)") do
    wrk.headers[name] = value
end

local expected = content(os.getenv("BENCH_REPLY_FILE"))
local threads = {}
wrong = 0

function setup(thread)
    table.insert(threads, thread)
end

function response(status, headers, body)
    if status ~= 200 or body ~= expected then
        wrong = wrong + 1
    end
end

function done(summary, latency, requests)
    local all_wrong = 0
    for _, thread in ipairs(threads) do
        all_wrong = all_wrong + thread:get("wrong")
    end
    local errors = summary.errors
    io.write(string.format('bench {"calls":%d,"seconds":%f,"mismatches":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\n',
        summary.requests, summary.duration / 1e6, all_wrong,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
