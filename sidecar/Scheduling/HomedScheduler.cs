using System.Collections.Concurrent;
using Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>A scheduler as one sidecar uses it: each scope is told first where the sidecar is at home (see <see cref="IScheduler.EnterAsync"/>).</summary>
/// <param name="home">The folder of the sidecar's resources.</param>
internal sealed class HomedScheduler(IScheduler inner, string home) : IScheduler
{
    private readonly ConcurrentDictionary<JobScope, Task> _entered = new();

    public Task EnterAsync(JobScope scope, string from, CancellationToken cancellationToken) => inner.EnterAsync(scope, from, cancellationToken);

    public async Task ScheduleAsync(JobKey key, Job job, bool overwrite, CancellationToken cancellationToken)
    {
        await EnteredAsync(key.Scope).ConfigureAwait(false);
        await inner.ScheduleAsync(key, job, overwrite, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<Job?> GetAsync(JobKey key, CancellationToken cancellationToken)
    {
        await EnteredAsync(key.Scope).ConfigureAwait(false);
        return await inner.GetAsync(key, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<IReadOnlyList<ScheduledJob>> ListAsync(JobScope scope, string? actorId, CancellationToken cancellationToken)
    {
        await EnteredAsync(scope).ConfigureAwait(false);
        return await inner.ListAsync(scope, actorId, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<long> CountAsync(JobScope scope, CancellationToken cancellationToken)
    {
        await EnteredAsync(scope).ConfigureAwait(false);
        return await inner.CountAsync(scope, cancellationToken).ConfigureAwait(false);
    }

    public async Task DeleteAsync(JobKey key, CancellationToken cancellationToken)
    {
        await EnteredAsync(key.Scope).ConfigureAwait(false);
        await inner.DeleteAsync(key, cancellationToken).ConfigureAwait(false);
    }

    public async Task DeleteAllAsync(JobScope scope, string? actorId, string namePrefix, CancellationToken cancellationToken)
    {
        await EnteredAsync(scope).ConfigureAwait(false);
        await inner.DeleteAllAsync(scope, actorId, namePrefix, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<IAsyncDisposable> ConsumeAsync(JobScope scope, JobHandler handler, CancellationToken cancellationToken)
    {
        await EnteredAsync(scope).ConfigureAwait(false);
        return await inner.ConsumeAsync(scope, handler, cancellationToken).ConfigureAwait(false);
    }

    // Once a scope; what failed is tried again by the next who asks.
    private async ValueTask EnteredAsync(JobScope scope)
    {
        if (_entered.TryGetValue(scope, out var known) && known.IsCompletedSuccessfully)
            return;
        var entering = _entered.AddOrUpdate(scope, s => inner.EnterAsync(s, home, CancellationToken.None), (s, old) => old.IsFaulted || old.IsCanceled ? inner.EnterAsync(s, home, CancellationToken.None) : old);
        await entering.ConfigureAwait(false);
    }
}
