namespace DaprPlatform.Cli.OpsConsole.Logs;

internal enum LogLevelName
{
    Debug,
    Info,
    Warn,
    Error,
}

internal enum LogSource
{
    App,
    Sidecar,
    Platform,
    Postgres,
}

/// <summary>One entry of a log; lines that follow it without a time of their own (stack traces) are part of its text.</summary>
/// <param name="Id">File and offset; the same for as long as the file is there.</param>
/// <param name="App">The app, or <c>platform</c>, <c>postgres</c> and the like.</param>
/// <param name="TraceId">Of the request that it belongs to.</param>
/// <param name="Fields">What else the line says, by name.</param>
internal sealed record LogLine(string Id, DateTimeOffset At, string App, LogSource Source, LogLevelName Level, string Text, string? TraceId, IReadOnlyDictionary<string, string>? Fields);

/// <summary>Which lines are wanted.</summary>
/// <param name="Apps">Empty: all.</param>
/// <param name="Source">Null: all.</param>
/// <param name="Level">The least.</param>
/// <param name="Text">In any case, anywhere in the entry.</param>
/// <param name="Trace">A trace id.</param>
/// <param name="After">Nothing older.</param>
internal sealed record LogFilter(IReadOnlyList<string> Apps, LogSource? Source, LogLevelName Level, string? Text, string? Trace, DateTimeOffset? After)
{
    private const int LongestText = 500;

    /// <exception cref="ConsoleProblem">A value is none.</exception>
    public static LogFilter Parse(StreamFilter values)
    {
        var text = values.First("text");
        if (text is { Length: > LongestText })
            throw ConsoleProblem.BadRequest($"text has at most {LongestText} characters.");
        return new LogFilter(values.All("app"), One<LogSource>("source"), One<LogLevelName>("level") ?? LogLevelName.Debug, text, values.First("trace")?.ToLowerInvariant(), null);

        T? One<T>(string name) where T : struct, Enum => values.First(name) switch
        {
            null => null,
            { } given when Enum.TryParse<T>(given, ignoreCase: true, out var value) && !char.IsAsciiDigit(given[0]) => value,
            _ => throw ConsoleProblem.BadRequest($"{name} is one of {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}."),
        };
    }

    public bool WantsFile(string app, LogSource source) => (Apps.Count == 0 || Apps.Contains(app)) && (Source is null || Source == source);

    public bool Wants(LogLine line) =>
        line.Level >= Level && WantsFile(line.App, line.Source) && (Trace is null || line.TraceId == Trace)
        && (Text is null || line.Text.Contains(Text, StringComparison.OrdinalIgnoreCase) || line.Fields?.Values.Any(v => v.Contains(Text, StringComparison.OrdinalIgnoreCase)) == true);
}
