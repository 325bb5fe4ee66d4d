using System.Diagnostics;
using System.Globalization;
using System.Text;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.State.Tests;

/// <summary>Kills a writing process at random points: nothing acknowledged may be missing, nothing may be half there.</summary>
public sealed class CrashTests
{
    private static readonly Dictionary<string, string> None = [];

    [Fact]
    public async Task Killed_at_any_point_nothing_acknowledged_is_missing_and_nothing_is_half_there()
    {
        var rounds = int.TryParse(Environment.GetEnvironmentVariable("CRASH_ROUNDS"), out var given) ? given : 12;
        using var folder = new TemporaryFolder();
        var random = new Random(20261121);
        var acknowledged = new Dictionary<string, long>();
        for (var round = 0; round < rounds; round++)
        {
            await KillAsync(folder.Path, random.Next(1, 400), acknowledged);
            await using var engine = await Specs.EngineAsync(folder);
            var redis = await engine.StandIns.GetAsync(StandInKinds.KeyValue, CrashWriter.Address);
            await using var sqlite = CrashWriter.Sqlite(engine, folder.Path);
            await sqlite.InitAsync(default);
            for (var writer = 0; writer < CrashWriter.Writers; writer++)
            {
                var keys = CrashWriter.Keys(writer);
                var records = await redis.GetManyAsync(CrashWriter.Space, keys, default);
                Check(round, $"redis {writer}", acknowledged, [.. records.Select(r => r is null ? null : (ReadOnlyMemory<byte>?)r.Value)]);
                var items = await sqlite.GetManyAsync(keys, None, default);
                Check(round, $"sqlite {writer}", acknowledged, [.. items.Select(i => i is null ? null : (ReadOnlyMemory<byte>?)i.Value)]);
            }
        }

        Assert.True(acknowledged.Values.Sum() > 0);
    }

    private static void Check(int round, string writer, Dictionary<string, long> acknowledged, ReadOnlyMemory<byte>?[] values)
    {
        var numbers = values.Select(v => v is { } bytes ? long.Parse(Encoding.UTF8.GetString(bytes.Span[..bytes.Span.IndexOf((byte)' ')]), CultureInfo.InvariantCulture) : 0).Distinct().ToList();
        Assert.True(numbers.Count == 1, $"round {round}: {writer} is half there: {string.Join(", ", numbers)}");
        var known = acknowledged.GetValueOrDefault(writer);
        Assert.True(numbers[0] >= known, $"round {round}: {writer} was told {known} and finds {numbers[0]}");
    }

    private static async Task KillAsync(string folder, int after, Dictionary<string, long> acknowledged)
    {
        // These tests are a program of their own, or one that `dotnet` runs.
        var self = Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? new[] { typeof(CrashTests).Assembly.Location } : [];
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. self, CrashWriter.Command, folder]) { RedirectStandardOutput = true })!;
        for (var lines = 0; await process.StandardOutput.ReadLineAsync() is { } line;)
        {
            var parts = line.Split('=');
            acknowledged[parts[0]] = Math.Max(acknowledged.GetValueOrDefault(parts[0]), long.Parse(parts[1], CultureInfo.InvariantCulture));
            if (++lines == after)
                process.Kill();
        }

        await process.WaitForExitAsync();
    }
}

/// <summary>The process that is killed: writes transactions to a stand-in for Redis and to a file of state.sqlite, and prints each when it is acknowledged.</summary>
internal static class CrashWriter
{
    public const string Command = "crash-writer";
    public const string Address = "redis://crash/0";
    public const string Space = "state";
    public const int Writers = 4;

    public static string[] Keys(int writer) => [.. Enumerable.Range(0, 3).Select(i => $"w{writer}-{i}")];

    public static SqliteStateStore Sqlite(Hosting.Engine engine, string folder) => new(Specs.Of(engine, "state.sqlite", ("connectionString", Path.Combine(folder, "crash.db"))));

    /// <summary>Runs until it is killed.</summary>
    public static async Task<int> RunAsync(string directory)
    {
        await using var engine = await Hosting.Engine.OpenAsync(new Hosting.EngineOptions { DataDirectory = directory });
        var redis = await engine.StandIns.GetAsync(StandInKinds.KeyValue, Address);
        await using var sqlite = Sqlite(engine, directory);
        await sqlite.InitAsync(default);
        var output = Console.OpenStandardOutput();
        var none = new Dictionary<string, string>();
        var writing = new List<Task>();
        for (var i = 0; i < Writers; i++)
        {
            var writer = i;
            writing.Add(Task.Run(async () => await WriteAsync($"redis {writer}", Number((await redis.GetAsync(Space, Keys(writer)[0], default))?.Value), async value =>
                await redis.TransactAsync(Space, [.. Keys(writer).Select(k => new KeyValueOperation { Key = k, Value = value })], allOrNothing: true, default))));
            writing.Add(Task.Run(async () => await WriteAsync($"sqlite {writer}", Number((await sqlite.GetAsync(Keys(writer)[0], Consistency.Strong, none, default))?.Value), async value =>
                await sqlite.TransactAsync([.. Keys(writer).Select(k => new StateWrite(StateOperationKind.Upsert, k, value))], none, default))));
        }

        await Task.WhenAll(writing);
        return 0;

        async Task WriteAsync(string name, long last, Func<byte[], Task> write)
        {
            for (var number = last + 1; ; number++)
            {
                // Of different lengths, so that pages and the log are torn at different places.
                await write(Encoding.UTF8.GetBytes($"{number} {new string('x', (int)(number * 37 % 3000))}"));
                var line = Encoding.UTF8.GetBytes($"{name}={number}\n");
                lock (output)
                    output.Write(line);
            }
        }
    }

    private static long Number(ReadOnlyMemory<byte>? value) =>
        value is { } bytes ? long.Parse(Encoding.UTF8.GetString(bytes.Span[..bytes.Span.IndexOf((byte)' ')]), CultureInfo.InvariantCulture) : 0;
}
