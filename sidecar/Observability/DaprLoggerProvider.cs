using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>
/// Log lines as daprd writes them: <c>time="…" level=info msg="…" app_id=X instance=HOST scope=dapr.runtime type=log ver=1.x</c>, or the same keys as one JSON
/// object a line. Thread-safe; a line is written whole.
/// </summary>
public sealed class DaprLoggerProvider(TextWriter output, string appId, bool json, LogLevel minimum, TimeProvider time) : ILoggerProvider
{
    private readonly ConcurrentDictionary<string, Logger> _loggers = new();
    private readonly string _instance = Environment.MachineName;
    private readonly Lock _lock = new();

    /// <summary>daprd's names of levels: debug, info, warn, error, fatal.</summary>
    public static LogLevel ParseLevel(string name) => name.ToLowerInvariant() switch
    {
        "debug" => LogLevel.Debug,
        "info" or "" => LogLevel.Information,
        "warn" or "warning" => LogLevel.Warning,
        "error" => LogLevel.Error,
        "fatal" => LogLevel.Critical,
        _ => throw new ArgumentException($"invalid value for --log-level: {name}"),
    };

    public ILogger CreateLogger(string categoryName) => _loggers.GetOrAdd(categoryName, name => new Logger(this, Scope(name)));

    public void Dispose()
    {
        lock (_lock)
            output.Flush();
    }

    // A class name becomes a scope of its area; names that are scopes already stay.
    private static string Scope(string category) => category.StartsWith("DaprPlatform.Sidecar.", StringComparison.Ordinal)
        ? "dapr.runtime." + category["DaprPlatform.Sidecar.".Length..].Split('.')[0].ToLowerInvariant()
        : category;

    private void Write(string scope, LogLevel level, string message, IReadOnlyList<KeyValuePair<string, object?>>? fields)
    {
        var now = time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture);
        var name = level switch { LogLevel.Trace or LogLevel.Debug => "debug", LogLevel.Information => "info", LogLevel.Warning => "warning", LogLevel.Error => "error", _ => "fatal" };
        var line = new StringBuilder(256);
        if (json)
        {
            var all = new SortedDictionary<string, object?>(StringComparer.Ordinal)
            {
                ["app_id"] = appId, ["instance"] = _instance, ["level"] = name, ["msg"] = message, ["scope"] = scope, ["time"] = now, ["type"] = "log", ["ver"] = SidecarRuntime.DaprVersion,
            };
            foreach (var (key, value) in fields ?? [])
                all[key] = value;
            line.Append(JsonSerializer.Serialize(all, Http.Json.Options));
        }
        else
        {
            line.Append("time=\"").Append(now).Append("\" level=").Append(name).Append(" msg=").Append(Quoted(message)).Append(" app_id=").Append(Bare(appId));
            foreach (var (key, value) in fields ?? [])
                line.Append(' ').Append(key).Append('=').Append(Bare(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
            line.Append(" instance=").Append(Bare(_instance)).Append(" scope=").Append(Bare(scope)).Append(" type=log ver=").Append(SidecarRuntime.DaprVersion);
        }

        lock (_lock)
        {
            output.WriteLine(line);
            output.Flush();
        }
    }

    private static string Quoted(string text) => JsonSerializer.Serialize(text, Http.Json.Options);

    private static string Bare(string text) => text.AsSpan().ContainsAny(" \"=\n\t") || text.Length == 0 ? Quoted(text) : text;

    private sealed class Logger(DaprLoggerProvider owner, string scope) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= owner.Minimum && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            var message = formatter(state, exception);
            if (exception is not null)
                message = $"{message}: {exception.Message}";
            owner.Write(scope, logLevel, message, (state as DaprLogFields)?.Fields);
        }
    }

    private LogLevel Minimum => minimum;
}

/// <summary>A log state with fields of its own beside the message, such as those of an API call.</summary>
internal sealed record DaprLogFields(string Message, IReadOnlyList<KeyValuePair<string, object?>> Fields)
{
    public override string ToString() => Message;
}
