using System.Globalization;
using DaprPlatform.Cli.Chaos;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>A short <c>./platform chaos</c>. The seed is printed; CHAOS_SEED repeats a run.</summary>
public sealed class ChaosTests(StackFixture stack) : IAsyncDisposable
{
    private const int Orders = 120;
    private const int Kills = 3;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => new(stack.ServesAgainAsync());

    [Fact]
    public async Task Orders_of_every_outcome_survive_kills_with_the_books_in_balance()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("CHAOS_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next(1_000_000);
        TestContext.Current.TestOutputHelper?.WriteLine($"CHAOS_SEED={seed}");
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(4));
        using var oper = stack.Operator(gateway);
        var options = new ChaosOptions(Orders, seed, 8, TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(4), Kills);

        var report = await new ChaosRun(gateway, oper, new Target(stack), options, TimeProvider.System).RunAsync(static (_, _, _) => { }, Cancel);

        Assert.True(report.Succeeded, $"CHAOS_SEED={seed}\n{report}\n{string.Join('\n', report.Undecided)}\n{stack.Logs()}");
        Assert.True(report.Orders >= Orders);
        Assert.Equal(report.Orders, report.Confirmed + report.Cancelled.Values.Sum());
        Assert.True(report.Kills.Values.Sum() >= Kills);
    }

    private sealed class Target(StackFixture stack) : IChaosTarget
    {
        public Task<StackStatus> StatusAsync(CancellationToken cancel) => stack.RefreshAsync(cancel);

        public Task UpAsync(CancellationToken cancel) => stack.UpAsync(cancel);

        public Invariants Invariants() => stack.Invariants();

        public Task SetOrderModeAsync(string mode, CancellationToken cancel) => stack.SetAsync("order-mode", mode, cancel);
    }
}
