using DaprPlatform.ServiceDefaults;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace DaprPlatform.Services.Tests;

// The pool is that of the tests too: what is set here is more than it had, and taken back.
public sealed class WorkerThreadsTests : IDisposable
{
    private readonly int _least;
    private readonly int _ports;

    public WorkerThreadsTests() => ThreadPool.GetMinThreads(out _least, out _ports);

    public void Dispose() => ThreadPool.SetMinThreads(_least, _ports);

    [Fact]
    public void The_pool_has_at_least_the_workers_that_are_asked_for()
    {
        var services = Add($"{_least + 3}");

        ThreadPool.GetMinThreads(out var workers, out var ports);
        Assert.Equal(_least + 3, workers);
        Assert.Equal(_ports, ports);
        Assert.Contains(services, s => s.ServiceType == typeof(IHostedService) && s.ImplementationType == typeof(WorkerThreads));
    }

    [Fact]
    public void Without_the_setting_the_pool_keeps_its_own_size()
    {
        Add(null);

        ThreadPool.GetMinThreads(out var workers, out _);
        Assert.Equal(_least, workers);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1000000")]
    public void A_number_of_workers_that_no_pool_can_have_is_refused(string workers)
    {
        var refused = Assert.Throws<InvalidOperationException>(() => Add(workers));

        Assert.Contains($"WORKER_THREADS is {workers}", refused.Message, StringComparison.Ordinal);
    }

    // Hosts of one process settle at the same time; none may leave the pool at what another had lowered it to, where a blocked worker is not joined any more.
    [Fact]
    public void Hosts_that_settle_together_leave_the_pool_its_largest_size()
    {
        WorkerThreads.Settle();
        ThreadPool.GetMaxThreads(out var most, out _);
        using var together = new Barrier(4);
        var hosts = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                together.SignalAndWait();
                WorkerThreads.Settle();
            }
        })).ToList();

        hosts.ForEach(host => host.Start());
        hosts.ForEach(host => host.Join());

        ThreadPool.GetMaxThreads(out var left, out _);
        Assert.Equal(most, left);
        Assert.True(left > _least);
    }

    private static ServiceCollection Add(string? workers)
    {
        var services = new ServiceCollection();
        WorkerThreads.AddTo(services, new ConfigurationBuilder().AddInMemoryCollection([new("WORKER_THREADS", workers)]).Build());
        return services;
    }
}
