-- Requests for wrk: deposits, reads, or a mix with transfers, over 1000 accounts that setup has opened.
--
-- wrk -s service_load.lua URL -- deposit|read|mixed

local accounts = 1000
local thread_count = 0

function setup(thread)
    thread:set("seed", 1000 + thread_count)
    thread_count = thread_count + 1
end

local function account()
    return "a" .. math.random(1, accounts)
end

local function deposit()
    return wrk.format("POST", "/accounts/" .. account() .. "/deposit", nil, '{"amount": 100}')
end

local function read()
    return wrk.format("GET", "/accounts/" .. account())
end

local function transfer()
    local from, to = account(), account()
    while to == from do
        to = account()
    end
    local body = string.format('{"from": "%s", "to": "%s", "amount": 1}', from, to)
    return wrk.format("POST", "/transfers", nil, body)
end

local function mixed()
    local draw = math.random(1, 10)
    if draw <= 3 then
        return deposit()
    elseif draw <= 6 then
        return transfer()
    end
    return read()
end

local kinds = {deposit = deposit, read = read, transfer = transfer, mixed = mixed}

function init(args)
    math.randomseed(seed)
    request = kinds[args[1] or "mixed"]
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
