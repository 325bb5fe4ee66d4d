using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Bench;

/// <summary>Figures of one number of clients. Processor time is that of the whole stack without the clients.</summary>
internal sealed record LoginFigure(int Clients, int Logins, double LoginsPerSecond, double P50Ms, double P95Ms, double P99Ms, double ProcessorMsPerLogin);

/// <summary>What <c>bench login</c> prints. The figures without a number of clients are those of 8.</summary>
/// <param name="LoginsPerSecond">Password logins through the gateway, sidecars and state store.</param>
/// <param name="RefreshesPerSecond">The same way without a password: what everything besides the hash allows.</param>
/// <param name="Iterations">Of PBKDF2-SHA512 in the measured stack.</param>
/// <param name="HashMs">Processor time of one hash with those, measured in this process.</param>
/// <param name="HashPercent">Of the processor time that a login costs.</param>
/// <param name="DefaultIterations">Of a deployment that sets nothing.</param>
/// <param name="DefaultHashMs">Processor time of one hash with those.</param>
internal sealed record LoginReport(double LoginsPerSecond, double P50Ms, double P95Ms, double P99Ms, double RefreshesPerSecond, int Iterations, double HashMs, double HashPercent,
    int DefaultIterations, double DefaultHashMs, int Processors, string Why, IReadOnlyList<LoginFigure> Clients, IReadOnlyDictionary<string, int> Failures);

/// <summary>Logins, each client with an account of its own and one after the other.</summary>
internal sealed class LoginBench(GatewayClient gateway, BenchStack stack)
{
    public const int DefaultIterations = 210_000;
    public const string Why = "A stolen table of passwords must be slow to guess from, so each guess, and with it each login, costs as much processor time as is bearable; "
        + "at most all processors but one hash at a time, so that logins wait for each other and not everything else for them.";

    private const int Hashes = 20;
    private const string Password = "bench-Passw0rd";
    private readonly ConcurrentDictionary<string, int> _failures = new();

    public IReadOnlyDictionary<string, int> Failures => _failures;

    /// <summary>Processor milliseconds of one hash; the best of several, which other work on the machine disturbed least.</summary>
    public static double HashMs(int iterations)
    {
        var salt = RandomNumberGenerator.GetBytes(16);
        var best = double.MaxValue;
        for (var i = 0; i < Hashes; i++)
        {
            var started = Stopwatch.GetTimestamp();
            Rfc2898DeriveBytes.Pbkdf2(Password, salt, iterations, HashAlgorithmName.SHA512, 32);
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return Math.Round(best, 2);
    }

    public async Task PrepareAsync(int clients, CancellationToken cancel)
    {
        for (var i = 0; i < clients; i++)
        {
            using var customer = new Customer(gateway, EmailOf(i), Password);
            await customer.RegisterAsync("Bench", cancel);
        }
    }

    public Task<LoginFigure> LoginsAsync(int clients, TimeSpan duration, CancellationToken cancel) =>
        RunAsync(clients, duration, (client, _) => gateway.SendAsync(HttpMethod.Post, "api/v1/auth/login", Credentials(client), cancel));

    public Task<LoginFigure> RefreshesAsync(int clients, TimeSpan duration, CancellationToken cancel) =>
        RunAsync(clients, duration, async (client, before) =>
        {
            before ??= await gateway.SendAsync(HttpMethod.Post, "api/v1/auth/login", Credentials(client), cancel);
            return await gateway.SendAsync(HttpMethod.Post, "api/v1/auth/refresh", new JsonObject { ["refreshToken"] = (string?)before.Data?["refreshToken"] }, cancel);
        });

    private async Task<LoginFigure> RunAsync(int clients, TimeSpan duration, Func<int, GatewayAnswer?, Task<GatewayAnswer>> ask)
    {
        var latencies = new ConcurrentBag<double>();
        var before = stack.ProcessorTimes();
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(async client =>
        {
            GatewayAnswer? last = null;
            while (watch.Elapsed < duration)
            {
                var started = Stopwatch.GetTimestamp();
                var answer = await ask(client, last);
                if (answer.Succeeded)
                    latencies.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                else
                    _failures.AddOrUpdate(answer.ToString(), 1, static (_, n) => n + 1);
                last = answer.Succeeded ? answer : null;
            }
        }));
        var elapsed = watch.Elapsed.TotalSeconds;
        var cost = stack.ProcessorTimes().Sum(a => (a.Value - before[a.Key]).TotalMilliseconds);
        var percentiles = Percentiles.Of(latencies);
        return new LoginFigure(clients, percentiles.Count, Math.Round(percentiles.Count / elapsed, 1), percentiles.P50Ms, percentiles.P95Ms, percentiles.P99Ms,
            Math.Round(cost / Math.Max(1, percentiles.Count), 2));
    }

    private static JsonObject Credentials(int client) => new() { ["email"] = EmailOf(client), ["password"] = Password };

    private static string EmailOf(int client) => $"login-{client}@bench.example";
}
