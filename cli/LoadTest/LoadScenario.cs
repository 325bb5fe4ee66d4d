using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace DaprPlatform.Cli.LoadTest;

/// <summary>For so long the number of users goes in a straight line from where it was to <paramref name="Users"/>.</summary>
internal sealed record LoadStage(double Seconds, int Users);

/// <summary>What is too slow, or too often wrong. Rates are parts of one.</summary>
internal sealed record LoadLimits(double RequestP95Milliseconds, double FailedRequests, double OrderDecidedP95Milliseconds, double EventP95Milliseconds, double ErrorRate);

/// <summary>The load test's stages and limits, from the file that the script for k6 reads as well: neither can know others than the other.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record LoadScenario(IReadOnlyList<LoadStage> Stages, IReadOnlyList<int> ThinkMilliseconds, string ProductPrefix, int ProductCount, int OrderWaitSeconds, int EventWaitSeconds,
    int EventPollMilliseconds, LoadLimits Thresholds)
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true };

    [JsonPropertyName("$comment")]
    public string? Comment { get; init; }

    public double Seconds => Stages.Sum(s => s.Seconds);

    public int Peak => Stages.Max(s => s.Users);

    /// <exception cref="CommandException">There is no such file, or it says something else than a scenario.</exception>
    public static LoadScenario Read(string file)
    {
        try
        {
            var scenario = JsonSerializer.Deserialize<LoadScenario>(File.ReadAllText(file), Options)!;
            return scenario is { Stages.Count: > 0, ThinkMilliseconds.Count: 2 } && scenario.Stages.All(s => s is { Seconds: > 0, Users: >= 0 }) && scenario.Peak > 0 && scenario.EventPollMilliseconds > 0
                && scenario.ThinkMilliseconds[0] >= 0 && scenario.ThinkMilliseconds[1] >= scenario.ThinkMilliseconds[0]
                ? scenario
                : throw new CommandException($"{file}: stages with seconds and users, two think times in order, and a pause between looks are needed.");
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new CommandException($"{file} is no scenario: {e.Message}", e);
        }
    }

    /// <summary>As the script's <c>USERS</c> and <c>DURATION_SCALE</c>.</summary>
    public LoadScenario Scaled(int? users, double? duration) => this with
    {
        Stages = [.. Stages.Select(s => new LoadStage(
            duration is { } stretch ? Math.Max(1, Math.Round(s.Seconds * stretch, MidpointRounding.AwayFromZero)) : s.Seconds,
            users is { } peak ? (int)Math.Ceiling(s.Users * (double)peak / Peak) : s.Users))],
    };

    /// <param name="stages"><c>20s:10,1m:50</c>: durations and users.</param>
    /// <exception cref="CommandException">They are not.</exception>
    public static IReadOnlyList<LoadStage> ParseStages(string stages)
    {
        var parsed = new List<LoadStage>();
        foreach (var stage in stages.Split(',', StringSplitOptions.TrimEntries))
        {
            var parts = stage.Split(':');
            if (parts.Length != 2 || parts[0].Length < 2 || Unit(parts[0][^1]) is not { } unit || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var users)
                || !double.TryParse(parts[0][..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var length) || length <= 0)
                throw new CommandException($"{stage} is no stage: write durations and users, as in 20s:10,1m:50.");
            parsed.Add(new LoadStage(length * unit, users));
        }

        return parsed.Exists(s => s.Users > 0) ? parsed : throw new CommandException("No stage has users.");
    }

    /// <summary>How many users there are after so many seconds; one to begin with, none after the end.</summary>
    public int UsersAt(double seconds)
    {
        var (begin, users) = (0.0, 1);
        foreach (var stage in Stages)
        {
            if (seconds < begin + stage.Seconds)
                return (int)Math.Floor(users + (stage.Users - users) * (seconds - begin) / stage.Seconds + 1e-9);
            (begin, users) = (begin + stage.Seconds, stage.Users);
        }

        return 0;
    }

    /// <summary>When the user of this number (from 0) is next there; null: not any more.</summary>
    public double? NextFor(int user, double seconds)
    {
        if (UsersAt(seconds) > user)
            return seconds;
        var (begin, users) = (0.0, 1);
        foreach (var stage in Stages)
        {
            // From here on it rises to the stage's number, and reaches this user's somewhere on the line.
            if (begin + stage.Seconds > seconds && stage.Users > user)
            {
                var reached = users > user ? begin : begin + stage.Seconds * (user + 1 - users) / (stage.Users - users);
                // At the very end there is nobody any more.
                if (UsersAt(Math.Max(seconds, reached)) > user)
                    return Math.Max(seconds, reached);
            }

            if (begin >= seconds && users > user)
                return begin;
            (begin, users) = (begin + stage.Seconds, stage.Users);
        }

        return null;
    }

    private static int? Unit(char unit) => unit switch { 's' => 1, 'm' => 60, _ => null };
}
