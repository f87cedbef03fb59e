%% SPDX-License-Identifier: MIT

%% R2 to R4 with the distribution of Erlang: a process of one node asks one of another.
-module(bench_erlang).
-export([main/0]).

-define(SECOND, {server, 'second@127.0.0.1'}).
-define(LOAD, 1000000).

main() ->
    try command(init:get_plain_arguments()) of
        ok -> halt(0)
    catch
        _:Why ->
            io:format(standard_error, "~p~n", [Why]),
            halt(1)
    end.

command(["serve"]) ->
    register(server, self()),
    serve();
command(["run", Workload, "erlang", "1" | Rest]) ->
    connect(500),
    Scale = case Rest of ["--quick"] -> 100; [] -> 1 end,
    {InFlight, Bytes, Figures, Sent, Received} = run(Workload, Scale),
    ?SECOND ! {self(), stop},
    {OtherTime, OtherPeak} = receive {used, Used} -> Used end,
    {Time, Peak} = used(),
    io:format(
        "{\"workload\": \"~s\", \"peer\": \"erlang\", \"strands\": 1, \"in_flight\": ~b, \"message_bytes\": ~b, "
        "\"figures\": [~s], \"sent\": ~b, \"received\": ~b, \"allocations\": 0, \"cpu_seconds\": ~.3f, "
        "\"peak_rss_bytes\": ~b, \"note\": \"allocations are not counted\"}~n",
        [Workload, InFlight, Bytes, lists:join(", ", Figures), Sent, Received, Time + OtherTime, Peak + OtherPeak]),
    Sent = Received,
    ok.

connect(0) -> error("the second node is not there");
connect(Attempts) ->
    case net_kernel:connect_node(element(2, ?SECOND)) of
        true ->
            ?SECOND ! {self(), 0, 0},  % it may not have its name yet
            receive {0, 1} -> ok
            after 20 -> connect(Attempts - 1)
            end;
        _ ->
            timer:sleep(20),
            connect(Attempts - 1)
    end.

%% Answers with the next number, and says that a large message has come.
serve() ->
    receive
        {From, stop} -> From ! {used, used()}, timer:sleep(50), ok;
        {From, Request, Number} when is_integer(Number) -> From ! {Request, Number + 1}, serve();
        {From, Request, Load} -> From ! {Request, byte_size(Load)}, serve()
    end.

run("R2", Scale) ->
    Count = 1000000 div Scale,
    Self = self(),
    {Seconds, Received} = timed(fun() ->
        spawn_link(fun() -> ping(Self, Count) end),
        pongs(Count, 0)
    end),
    {0, 8, [figure("messages", 2 * Count / Seconds, "msg/s", "more")], Count, Received};
run("R3", Scale) ->
    Count = 20000 div Scale,
    {Took, Answered} = ask_all(Count, [], 0),
    Sorted = list_to_tuple(lists:sort(Took)),
    Figures = [figure(Name, element(1 + trunc(Part * (Count - 1)), Sorted), "ns", "less")
        || {Name, Part} <- [{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}]],
    {1, 8, Figures, Count, Answered};
run("R3b", Scale) ->
    Clients = 64,
    Count = 1000000 div Scale div Clients,
    Self = self(),
    {Seconds, Answered} = timed(fun() ->
        [spawn_link(fun() -> Self ! {answered, answers(Count, 0)} end) || _ <- lists:seq(1, Clients)],
        lists:sum([receive {answered, Number} -> Number end || _ <- lists:seq(1, Clients)])
    end),
    {64, 8, [figure("asks", Clients * Count / Seconds, "asks/s", "more")], Clients * Count, Answered};
run("R4", Scale) ->
    Count = 2000 div Scale,
    Load = binary:copy(<<1>>, ?LOAD),
    {Seconds, Received} = timed(fun() -> ship(Load, Count, 0, 0, 0) end),
    {32, ?LOAD, [figure("bytes", Count * ?LOAD / Seconds, "B/s", "more")], Count, Received}.

%% Who sends is held back by the distribution when too much is under way.
ping(_, 0) -> ok;
ping(For, Count) ->
    ?SECOND ! {For, 0, Count},
    ping(For, Count - 1).

pongs(Count, Count) -> Count;
pongs(Count, Received) ->
    receive {0, _} -> pongs(Count, Received + 1) end.

ask(Number) ->
    Request = make_ref(),
    ?SECOND ! {self(), Request, Number},
    receive {Request, Answer} -> Answer end.

ask_all(0, Took, Answered) -> {Took, Answered};
ask_all(Count, Took, Answered) ->
    Begin = erlang:monotonic_time(nanosecond),
    Answer = ask(Count),
    ask_all(Count - 1, [erlang:monotonic_time(nanosecond) - Begin | Took], Answered + Answer - Count).

answers(0, Answered) -> Answered;
answers(Count, Answered) -> answers(Count - 1, Answered + ask(Count) - Count).

%% 32 may be on their way.
ship(_, Count, _, Count, Received) -> Received;
ship(Load, Count, Sent, Told, Received) when Sent < Count, Sent - Told < 32 ->
    ?SECOND ! {self(), load, Load},
    ship(Load, Count, Sent + 1, Told, Received);
ship(Load, Count, Sent, Told, Received) ->
    receive
        {load, ?LOAD} -> ship(Load, Count, Sent, Told + 1, Received + 1);
        {load, _} -> ship(Load, Count, Sent, Told + 1, Received)
    end.

timed(What) ->
    Begin = erlang:monotonic_time(nanosecond),
    Result = What(),
    {(erlang:monotonic_time(nanosecond) - Begin) / 1.0e9, Result}.

figure(Name, Value, Unit, Better) ->
    io_lib:format("{\"name\": \"~s\", \"value\": ~p, \"unit\": \"~s\", \"better\": \"~s\"}",
        [Name, Value, Unit, Better]).

%% Seconds of processor time, and the most memory that this node has had.
used() ->
    {Milliseconds, _} = statistics(runtime),
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmHWM:\\s+(\\d+)", [{capture, all_but_first, list}]),
    {Milliseconds / 1000, list_to_integer(Kilobytes) * 1024}.
