using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Sidecar.State.Tests;

public sealed class PostgresOptionsTests
{
    [Theory]
    [InlineData("host=db port=5433 user=me password='a b\\'c' dbname=shop sslmode=verify-full connect_timeout=7")]
    [InlineData("postgres://me:a%20b%27c@db:5433/shop?sslmode=verify-full&connect_timeout=7")]
    [InlineData("postgresql://me:a%20b%27c@db:5433/shop?sslmode=verify-full&connect_timeout=7&pool_max_conns=3")]
    public void Both_forms_of_a_connection_string_are_understood(string text)
    {
        var builder = PostgresOptions.Connection(text);
        Assert.Equal(("db", 5433, "me", "a b'c", "shop", Npgsql.SslMode.VerifyFull, 7), (builder.Host, builder.Port, builder.Username, builder.Password, builder.Database, builder.SslMode, builder.Timeout));
    }

    [Theory]
    [InlineData("host")]
    [InlineData("host=db port=x")]
    [InlineData("host=db sslmode=sometimes")]
    [InlineData("password='open")]
    public void A_malformed_connection_string_is_refused(string text) => Assert.Throws<ComponentException>(() => PostgresOptions.Connection(text));
}

public sealed class StateQueryTests
{
    [Theory]
    [InlineData("""{"filter":{"EQ":{"a":1},"NEQ":{"a":1}}}""")]
    [InlineData("""{"filter":{"LIKE":{"a":"x"}}}""")]
    [InlineData("""{"filter":{"1":{"a":"x"}}}""")]
    [InlineData("""{"filter":{"AND":[{"EQ":{"a":1}}]}}""")]
    [InlineData("""{"filter":{"IN":{"a":[]}}}""")]
    [InlineData("""{"filter":[]}""")]
    [InlineData("""{"sort":[{"order":"ASC"}]}""")]
    [InlineData("""{"sort":[{"key":"a","order":"sideways"}]}""")]
    [InlineData("[]")]
    [InlineData("{")]
    public void A_malformed_query_is_refused(string json) => Assert.Throws<StateException>(() => StateQuery.Parse(Encoding.UTF8.GetBytes(json), new Dictionary<string, string>()));

    [Fact]
    public void Nothing_of_a_query_becomes_part_of_the_statement()
    {
        var json = """{"filter":{"OR":[{"EQ":{"a'; DROP TABLE state; --":"x"}},{"IN":{"b":["y'","z"]}}]},"sort":[{"key":"c) --"}],"page":{"limit":2,"token":"4"}}""";
        var sql = new PostgresQuery(StateQuery.Parse(Encoding.UTF8.GetBytes(json), new Dictionary<string, string>()) with { KeyPrefix = "app'||" }, "state");
        Assert.DoesNotContain("'", sql.Sql, StringComparison.Ordinal);
        Assert.DoesNotContain("DROP", sql.Sql, StringComparison.Ordinal);
        Assert.Equal(8, sql.Parameters.Count);
    }
}

/// <summary>Against a server of its own, where PostgreSQL is installed.</summary>
public sealed class PostgresStateStoreTests(PostgresStateStoreTests.Server server) : IClassFixture<PostgresStateStoreTests.Server>, IAsyncLifetime
{
    private static readonly Dictionary<string, string> None = [];
    private readonly TemporaryFolder _folder = new();
    private readonly string _table = $"t{Guid.NewGuid():N}";
    private Engine _engine = null!;
    private PostgresStateStore _store = null!;

    public async ValueTask InitializeAsync()
    {
        if (server.Port == 0)
            Assert.Skip("PostgreSQL is not installed here");
        _engine = await Specs.EngineAsync(_folder);
        _store = new PostgresStateStore(Specs.Of(_engine, "state.postgresql", ("connectionString", $"host=127.0.0.1 port={server.Port} user=postgres dbname=postgres sslmode=disable"), ("tableName", _table)));
        await _store.InitAsync(default);
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null)
            await _store.DisposeAsync();
        if (_engine is not null)
            await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Values_etags_and_transactions_behave_as_promised()
    {
        await SaveAsync("json", "{\"b\":1,\"a\":2}", isBinary: false);
        await SaveAsync("bytes", "\0ÿ");
        var items = await _store.GetManyAsync(["bytes", "none", "json", "bytes"], None, default);
        Assert.Equal(["\0ÿ", null, "{\"a\": 2, \"b\": 1}", "\0ÿ"], items.Select(Text));
        var etag = items[2]!.ETag!;
        await SaveAsync("json", "1", etag: etag, isBinary: false);
        Assert.False((await Assert.ThrowsAsync<ETagException>(() => SaveAsync("json", "2", etag: etag))).IsInvalid);
        Assert.True((await Assert.ThrowsAsync<ETagException>(() => SaveAsync("json", "2", etag: "abc"))).IsInvalid);
        await Assert.ThrowsAsync<ETagException>(() => _store.WriteAsync(new StateWrite(StateOperationKind.Delete, "json", ETag: etag), default).AsTask());
        await Assert.ThrowsAsync<ETagException>(() => _store.TransactAsync([Write("json", "3"), Write("new", "3"), Write("json", "4") with { ETag = "1" }], None, default).AsTask());
        Assert.Equal(["1", null], (await _store.GetManyAsync(["json", "new"], None, default)).Select(Text));
        await Assert.ThrowsAsync<StateException>(() => _store.WriteAsync(Write("json", "5") with { Concurrency = Concurrency.FirstWrite }, default).AsTask());
        await _store.TransactAsync([Write("new", "6"), new StateWrite(StateOperationKind.Delete, "json")], None, default);
        Assert.Equal([null, "6"], (await _store.GetManyAsync(["json", "new"], None, default)).Select(Text));
    }

    [Fact]
    public async Task Keys_are_listed_in_order_by_prefix()
    {
        foreach (var key in (string[])["b||2", "a||1", "b||1", "b||10", "b%", "B||1"])
            await SaveAsync(key, "x");
        Assert.Equal(["b||1", "b||10", "b||2"], await _store.KeysAsync("b||", null, 10, default));
        Assert.Equal(["b||10"], await _store.KeysAsync("b||", "b||1", 1, default));
    }

    [Theory]
    [InlineData("""{"filter":{}}""", "1 2 3 4")]
    [InlineData("""{"filter":{"EQ":{"person.org":"A"}}}""", "1 3")]
    [InlineData("""{"filter":{"NEQ":{"person.org":"A"}}}""", "2")]
    [InlineData("""{"filter":{"GT":{"person.id":9}}}""", "2 3")]
    [InlineData("""{"filter":{"LTE":{"person.id":10}}}""", "1 2")]
    [InlineData("""{"filter":{"GTE":{"person.id":"9"}}}""", "")]
    [InlineData("""{"filter":{"IN":{"state":["NY","WA"]}}}""", "2")]
    [InlineData("""{"filter":{"AND":[{"EQ":{"person.org":"A"}},{"OR":[{"EQ":{"state":"CA"}},{"GT":{"person.id":50}}]}]}}""", "1 3")]
    [InlineData("""{"filter":{"GT":{"person.id":1}},"sort":[{"key":"person.id","order":"DESC"}]}""", "3 2 1")]
    [InlineData("""{"sort":[{"key":"state","order":"ASC"},{"key":"person.id"}],"page":{"limit":2}}""", "1 3")]
    public async Task A_query_finds_what_matches_and_only_the_apps_own(string json, string expected)
    {
        await SaveAsync("app||1", """{"person":{"org":"A","id":2},"state":"CA"}""", isBinary: false);
        await SaveAsync("app||2", """{"person":{"org":"B","id":10},"state":"WA"}""", isBinary: false);
        await SaveAsync("app||3", """{"person":{"org":"A","id":100},"state":"CA"}""", isBinary: false);
        await SaveAsync("app||4", "bytes");
        await SaveAsync("other||5", """{"person":{"org":"A","id":2},"state":"CA"}""", isBinary: false);
        var answer = await _store.QueryAsync(StateQuery.Parse(Encoding.UTF8.GetBytes(json), None) with { KeyPrefix = "app||" }, default);
        Assert.Equal(expected, string.Join(' ', answer.Items.Select(i => KeyPrefix.Original(i.Key))));
    }

    [Fact]
    public async Task Pages_follow_each_other_by_token()
    {
        for (var i = 0; i < 5; i++)
            await SaveAsync($"k{i}", "1", isBinary: false);
        var seen = new List<string>();
        var token = "";
        do
        {
            var answer = await _store.QueryAsync(new StateQuery(null, [], 2, token, None), default);
            seen.AddRange(answer.Items.Select(i => i.Key));
            token = answer.Token;
        }
        while (token.Length > 0);
        Assert.Equal(["k0", "k1", "k2", "k3", "k4"], seen);
        await Assert.ThrowsAsync<StateException>(() => _store.QueryAsync(new StateQuery(null, [], 2, "x", None), default).AsTask());
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_refused()
    {
        await using var store = new PostgresStateStore(Specs.Of(_engine, "state.postgresql", ("connectionString", "host=127.0.0.1 port=1 user=postgres")));
        await Assert.ThrowsAsync<ComponentException>(() => store.InitAsync(default));
    }

    private static StateWrite Write(string key, string value) => new(StateOperationKind.Upsert, key, Encoding.UTF8.GetBytes(value));

    private Task SaveAsync(string key, string value, string? etag = null, bool isBinary = true) => _store.WriteAsync(Write(key, value) with { ETag = etag, IsBinary = isBinary }, default).AsTask();

    private static string? Text(StateItem? item) => item is null ? null : Encoding.UTF8.GetString(item.Value.Span);

    public sealed class Server : IAsyncLifetime
    {
        private readonly TemporaryFolder _folder = new();
        private Process? _process;

        /// <summary>0 where PostgreSQL is not installed.</summary>
        public int Port { get; private set; }

        public async ValueTask InitializeAsync()
        {
            var bin = Directory.Exists("/usr/lib/postgresql") ? Directory.EnumerateDirectories("/usr/lib/postgresql").Select(v => Path.Combine(v, "bin")).FirstOrDefault(b => File.Exists(Path.Combine(b, "initdb"))) : null;
            if (bin is null)
                return;
            var (data, asRoot) = (_folder.File("data"), Environment.UserName == "root");
            Directory.CreateDirectory(data);
            if (asRoot)
            {
                await RunAsync("chmod", "755", _folder.Path);
                await RunAsync("chown", "postgres", data);
            }

            await RunAsync(asRoot ? "runuser" : Path.Combine(bin, "initdb"), [.. asRoot ? (string[])["-u", "postgres", "--", Path.Combine(bin, "initdb")] : [], "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]);
            using (var listener = new TcpListener(IPAddress.Loopback, 0))
            {
                listener.Start();
                Port = ((IPEndPoint)listener.LocalEndpoint).Port;
            }

            string[] arguments = [Path.Combine(bin, "postgres"), "-D", data, "-p", $"{Port}", "-c", "listen_addresses=127.0.0.1", "-c", $"unix_socket_directories={data}", "-c", "fsync=off"];
            _process = Process.Start(new ProcessStartInfo(asRoot ? "runuser" : arguments[0], [.. asRoot ? (string[])["-u", "postgres", "--"] : [], .. asRoot ? arguments : arguments[1..]]) { RedirectStandardError = true, WorkingDirectory = "/" })!;
            while (await _process.StandardError.ReadLineAsync() is { } line && !line.Contains("ready to accept connections", StringComparison.Ordinal))
            {
            }

            _ = _process.StandardError.ReadToEndAsync();
        }

        public async ValueTask DisposeAsync()
        {
            if (_process is not null)
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync();
                _process.Dispose();
            }

            _folder.Dispose();
        }

        private static async Task RunAsync(string file, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, WorkingDirectory = "/" })!;
            await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.Equal(0, process.ExitCode);
        }
    }
}
