using System.Net.Sockets;
using DaprPlatform.Cli.Commands;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;
using Npgsql;

namespace DaprPlatform.Cli.OpsConsole.Metrics;

internal sealed record OrderCount(string State, long Count);

/// <param name="Minor">In the smallest unit of the currency.</param>
internal sealed record Revenue(string Currency, long Minor);

/// <param name="Minor">Of orders placed since midnight UTC that were not given up, in <paramref name="Currency"/>, the one with the most of them.</param>
internal sealed record TodayFigures(long Orders, long Minor, string? Currency);

internal sealed record StockFigure(string Sku, string Name, long Available, long Reserved);

/// <param name="Missing">What could not be read, and why; the rest is there.</param>
internal sealed record BusinessFigures(IReadOnlyList<OrderCount> Orders, IReadOnlyList<Revenue> Revenue, TodayFigures Today, IReadOnlyList<StockFigure> Stock, IReadOnlyList<string> Missing, DateTimeOffset At);

/// <summary>What the shop did, read past the services from their databases: read-only, with a limit on the time of each statement, and one read for all who ask at once.</summary>
internal sealed class Business(RunFile file, Stack stack, TimeProvider time)
{
    private const string ReadOnly = "-c default_transaction_read_only=on -c statement_timeout=5000";
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    private const string OrdersSql = "SELECT upper(status::text), count(*) FROM orders GROUP BY 1 ORDER BY 1";

    private const string RevenueSql =
        "SELECT currency::text, sum(total_minor)::bigint FROM orders WHERE upper(status::text) IN ('CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED') GROUP BY 1 ORDER BY 2 DESC";

    private const string TodaySql =
        "SELECT currency::text, count(*), coalesce(sum(total_minor) FILTER (WHERE upper(status::text) <> 'CANCELLED'), 0)::bigint FROM orders "
        + "WHERE created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' GROUP BY 1 ORDER BY 2 DESC";

    private const string StockSql = "SELECT sku, name, available, reserved FROM products ORDER BY available, sku LIMIT 500";

    private readonly SemaphoreSlim _turn = new(1, 1);
    private BusinessFigures? _last;

    /// <exception cref="ConsoleProblem">The stack has no database of its own, or it does not run.</exception>
    public async Task<BusinessFigures> ReadAsync(CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            if (_last is { } last && time.GetUtcNow() - last.At < Fresh)
                return last;
            return _last = await AskAsync(Connections(), cancel);
        }
        finally
        {
            _turn.Release();
        }
    }

    private Func<string, string> Connections()
    {
        try
        {
            return RunningStack.ConnectionsOf(file, stack.Status());
        }
        catch (CommandException e)
        {
            throw ConsoleProblem.Unavailable(e.Message);
        }
    }

    private async Task<BusinessFigures> AskAsync(Func<string, string> connectionTo, CancellationToken cancel)
    {
        var missing = new List<string>();
        var orders = new List<OrderCount>();
        var revenue = new List<Revenue>();
        var today = new List<(string Currency, long Orders, long Minor)>();
        var stock = new List<StockFigure>();
        await RowsAsync("orders", OrdersSql, row => orders.Add(new OrderCount(row.GetString(0), row.GetInt64(1))));
        await RowsAsync("orders", RevenueSql, row => revenue.Add(new Revenue(row.GetString(0).Trim(), row.GetInt64(1))));
        await RowsAsync("orders", TodaySql, row => today.Add((row.GetString(0).Trim(), row.GetInt64(1), row.GetInt64(2))));
        await RowsAsync("inventory", StockSql, row => stock.Add(new StockFigure(row.GetString(0), row.GetString(1), row.GetInt64(2), row.GetInt64(3))));
        return new BusinessFigures(orders, revenue, new TodayFigures(today.Sum(t => t.Orders), today.FirstOrDefault().Minor, today.FirstOrDefault().Currency), stock, [.. missing.Distinct()], time.GetUtcNow());

        async Task RowsAsync(string service, string sql, Action<NpgsqlDataReader> read)
        {
            try
            {
                await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionTo(service)) { Options = ReadOnly, Timeout = 3 }.ConnectionString);
                await connection.OpenAsync(cancel);
                await using var command = new NpgsqlCommand(sql, connection);
                await using var rows = await command.ExecuteReaderAsync(cancel);
                while (await rows.ReadAsync(cancel))
                    read(rows);
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
            {
                missing.Add($"{service}: {(e is PostgresException known ? known.MessageText : "its database does not answer")}");
            }
        }
    }
}
