using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using DaprPlatform.Sidecar.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Fuzzing.Tests;

/// <summary>A sidecar in this process with a component of every building block, no app, no placement; and what it logs as an error of its own.</summary>
public sealed class FuzzedSidecar : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fuzzing-");
    private readonly Failures _failures = new();
    private ILoggerFactory _loggers = null!;
    private Engine _engine = null!;
    private DaprSidecar _sidecar = null!;

    public static readonly (string Name, string Type, string Metadata)[] Components =
    [
        ("memory", "state.in-memory", ""),
        ("sqlite", "state.sqlite", "connectionString: $DIR/state.db"),
        ("redis", "state.redis", "redisHost: localhost:6379"),
        ("etcd", "state.etcd", "endpoints: localhost:2379"),
        ("pubsub", "pubsub.in-memory", ""),
        ("kafka", "pubsub.kafka", "brokers: localhost:9092;authType: none"),
        ("streams", "pubsub.redis", "redisHost: localhost:6379"),
        ("locks", "lock.redis", "redisHost: localhost:6379"),
        ("config", "configuration.redis", "redisHost: localhost:6379"),
        ("secrets", "secretstores.local.env", ""),
        ("files", "bindings.localstorage", "rootPath: $DIR/files"),
        ("texts", "bindings.redis", "redisHost: localhost:6379"),
        ("echo", "conversation.echo", ""),
        ("keys", "crypto.dapr.localstorage", "path: $DIR/keys"),
    ];

    public int HttpPort { get; private set; }

    public int GrpcPort { get; private set; }

    /// <summary>Exceptions the sidecar did not expect, since the last call.</summary>
    public string[] TakeFailures() => _failures.Take();

    public bool IsHealthy => _sidecar.IsHealthy;

    public async ValueTask InitializeAsync()
    {
        var resources = _folder.CreateSubdirectory("resources").FullName;
        _folder.CreateSubdirectory("keys");
        foreach (var (name, type, metadata) in Components)
            await File.WriteAllTextAsync(Path.Combine(resources, name + ".yaml"), Component(name, type, metadata.Replace("$DIR", _folder.FullName, StringComparison.Ordinal)));
        _loggers = LoggerFactory.Create(b => b.SetMinimumLevel(LogLevel.Error).AddProvider(_failures));
        _engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(_folder.FullName, "data") });
        (HttpPort, GrpcPort) = (FreePort(), FreePort());
        _sidecar = new DaprSidecar(_engine, new SidecarOptions
        {
            AppId = "fuzzed",
            HttpPort = HttpPort,
            GrpcPort = GrpcPort,
            MetricsPort = FreePort(),
            ListenAddresses = ["127.0.0.1"],
            MetricsListenAddress = "127.0.0.1",
            InternalGrpcListenAddress = "127.0.0.1",
            SchedulerHostAddress = "127.0.0.1:50006",
            MaxBodySize = 256 << 10,
            ResourcesPaths = [resources],
        }, _loggers);
        await _sidecar.StartAsync();
        await _sidecar.WaitUntilHealthyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _sidecar.DisposeAsync();
        await _engine.DisposeAsync();
        _loggers.Dispose();
        _folder.Delete(recursive: true);
    }

    public static string Component(string name, string type, string metadata) =>
        $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: {type}\n  version: v1\n  metadata:{(metadata.Length == 0 ? " []" : "")}\n"
        + string.Concat(metadata.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(m => m.Split(": ", 2)).Select(m => $"  - name: {m[0]}\n    value: \"{m[1]}\"\n"));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class Failures : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _seen = new();

        public string[] Take()
        {
            var taken = new List<string>();
            while (_seen.TryDequeue(out var failure))
                taken.Add(failure);
            return [.. taken];
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (exception is not null)
                _seen.Enqueue($"{formatter(state, exception)}: {exception}");
        }

        public void Dispose()
        {
        }
    }
}
