using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Actors;
using DaprPlatform.Sidecar.Jobs;
using DaprPlatform.Sidecar.Locking;
using DaprPlatform.Sidecar.Scheduling;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Storage;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Introspection;

/// <param name="Store">The components that are on its server.</param>
/// <param name="Resource">As stored: with the prefix of the app or whatever the component says.</param>
public sealed record LockView(string Store, string Resource, string Owner, DateTimeOffset ExpiresAt);

/// <param name="Schedule">Null: once.</param>
/// <param name="DueAt">The next time; it may be over where nobody takes the app's jobs.</param>
/// <param name="Repeats">How often at most; null: without limit.</param>
/// <param name="Fired">How often it has been delivered.</param>
/// <param name="Data">Text, or <c>{"base64"}</c>; null: none.</param>
public sealed record JobView(string App, string Name, string? Schedule, DateTimeOffset DueAt, long? Repeats, long Fired, JsonNode? Data);

/// <param name="Period">Null: once.</param>
public sealed record ReminderView(string ActorType, string ActorId, string Name, DateTimeOffset DueAt, string? Period);

/// <param name="Active">Activated at the moment.</param>
/// <param name="Entities">Their ids, where they were asked for; at most 1,000.</param>
public sealed record ActorTypeView(string Type, string App, int Active, IReadOnlyList<string>? Entities);

/// <summary>What is held, planned and active.</summary>
public sealed class WorkViews
{
    private const string LockSpace = "lock";
    private const string LockPrefix = "lock||";
    private const int KeysAtATime = 1000;
    private const int MostEntities = 1000;
    private readonly RuntimeView _view;

    internal WorkViews(RuntimeView view) => _view = view;

    /// <summary>Locks that are held, by resource.</summary>
    /// <param name="limit">At most so many of each server.</param>
    public async Task<IReadOnlyList<LockView>> LocksAsync(int limit, CancellationToken cancellationToken)
    {
        if (_view.Engine.StandIns is not LocalStandIns local)
            return [];
        var stores = _view.Runtimes.SelectMany(r => r.Components.All<ILockStore>().Where(s => s.Value is RedisLockStore).Select(s => (s.Key, Server: RedisAddress.Of(r.Components.SpecOf(s.Key)!))))
            .Distinct().ToLookup(s => s.Server, s => s.Key, StringComparer.Ordinal);
        var locks = new List<LockView>();
        foreach (var (address, server) in local.Opened(StandInKinds.KeyValue).Where(s => stores.Contains(s.Address)))
        {
            var name = string.Join(", ", stores[address].Order(StringComparer.Ordinal));
            string? after = null;
            for (var left = limit; left > 0;)
            {
                var asked = Math.Min(left, KeysAtATime);
                var keys = await server.KeysAsync(LockSpace, "", after, asked, cancellationToken).ConfigureAwait(false);
                var records = await server.GetManyAsync(LockSpace, keys, cancellationToken).ConfigureAwait(false);
                for (var i = 0; i < keys.Count; i++)
                {
                    if (records[i] is { } record)
                        locks.Add(new LockView(name, keys[i].StartsWith(LockPrefix, StringComparison.Ordinal) ? keys[i][LockPrefix.Length..] : keys[i], Encoding.UTF8.GetString(record.Value.Span), DateTimeOffset.FromUnixTimeMilliseconds(record.ExpiresAt)));
                }

                if (keys.Count < asked)
                    break;
                left -= keys.Count;
                after = keys[^1];
            }
        }

        return locks;
    }

    /// <summary>Jobs of apps, by app and name.</summary>
    /// <param name="after">As <see cref="Page{T}.Next"/> gave it.</param>
    /// <exception cref="IntrospectionException">The cursor is none.</exception>
    public async Task<Page<JobView>> JobsAsync(string? after, int limit, CancellationToken cancellationToken)
    {
        var (rows, next) = await RowsAsync(JobOwner.App, after, limit, cancellationToken).ConfigureAwait(false);
        return new Page<JobView>([.. rows.Select(r =>
        {
            var job = JobTable.Parse(r.Row.Spec);
            return new JobView(r.Scope.Name, r.Row.Name, job.HasSchedule && job.Schedule.Length > 0 ? job.Schedule : null, Time(r.Row.Due), job.HasRepeats ? job.Repeats : null, r.Row.Fired, Shown(job.Data));
        })], next);
    }

    /// <summary>Reminders of actors, by type, actor and name.</summary>
    /// <inheritdoc cref="JobsAsync"/>
    public async Task<Page<ReminderView>> RemindersAsync(string? after, int limit, CancellationToken cancellationToken)
    {
        var (rows, next) = await RowsAsync(JobOwner.ActorType, after, limit, cancellationToken).ConfigureAwait(false);
        return new Page<ReminderView>([.. rows.Select(r =>
        {
            var job = JobTable.Parse(r.Row.Spec);
            return new ReminderView(r.Scope.Name, r.Row.ActorId, r.Row.Name, Time(r.Row.Due), job.HasSchedule && job.Schedule.Length > 0 ? job.Schedule : null);
        })], next);
    }

    /// <summary>Actor types that apps host, the runtime's own included.</summary>
    /// <param name="entitiesOf">A type whose active actors are named; null: of none.</param>
    public IReadOnlyList<ActorTypeView> Actors(string? entitiesOf)
    {
        var types = new List<ActorTypeView>();
        foreach (var runtime in _view.Runtimes)
        {
            foreach (var hosted in runtime.Blocks.OfType<ActorsApi>().SelectMany(a => a.Hosted.Types))
            {
                types.Add(new ActorTypeView(hosted.Name, runtime.Options.AppId, hosted.Active.Count,
                    entitiesOf == hosted.Name ? [.. hosted.Active.Keys.Take(MostEntities).Order(StringComparer.Ordinal)] : null));
            }

            types.AddRange(runtime.Blocks.OfType<IActorTypeSource>().SelectMany(s => s.ActorTypes).Select(t => new ActorTypeView(t.Type, runtime.Options.AppId, t.Count, null)));
        }

        return [.. types.OrderBy(t => t.Type, StringComparer.Ordinal).ThenBy(t => t.App, StringComparer.Ordinal)];
    }

    private async Task<(IReadOnlyList<ScheduledRow> Rows, string? Next)> RowsAsync(JobOwner owner, string? after, int limit, CancellationToken cancellationToken)
    {
        if (_view.Engine.StandIns is not LocalStandIns local)
            return ([], null);
        var cursor = after is null ? default : RowCursor.Parse(after);
        var schedulers = local.Opened(StandInKinds.Scheduler).Select(s => s.Server).OfType<DurableScheduler>().OrderBy(s => s.Server, StringComparer.Ordinal);
        var rows = new List<ScheduledRow>();
        foreach (var scheduler in schedulers)
        {
            var order = string.CompareOrdinal(scheduler.Server, cursor.Server ?? "");
            if (order < 0)
                continue;
            cancellationToken.ThrowIfCancellationRequested();
            // One more than asked for says whether there are more.
            var read = await scheduler.BrowseAsync(owner, order == 0 ? cursor.Place : null, limit + 1 - rows.Count).ConfigureAwait(false);
            foreach (var row in read)
            {
                if (rows.Count == limit)
                    return (rows, new RowCursor(rows[^1].Server, rows[^1].Place).ToString());
                rows.Add(row with { Server = scheduler.Server });
            }
        }

        return (rows, null);
    }

    private static DateTimeOffset Time(long ticks) => new(Math.Clamp(ticks, 0, DateTime.MaxValue.Ticks), TimeSpan.Zero);

    private static JsonNode? Shown(Any? data)
    {
        if (data is null)
            return null;
        if (data.Is(BytesValue.Descriptor))
            return ShownBytes.Of(data.Unpack<BytesValue>().Value.Span);
        if (data.Is(StringValue.Descriptor))
            return JsonValue.Create(data.Unpack<StringValue>().Value);
        return JobJson.Body(data) is { IsEmpty: false } body ? ShownBytes.Of(body.Span) : null;
    }

    private readonly record struct RowCursor(string? Server, RowPlace Place)
    {
        public static RowCursor Parse(string text)
        {
            try
            {
                var parts = System.Text.Json.JsonSerializer.Deserialize<string[]>(Convert.FromBase64String(text.Replace('-', '+').Replace('_', '/')));
                if (parts is [{ } server, { } scope, { } actor, { } name])
                    return new RowCursor(server, new RowPlace(long.Parse(scope, CultureInfo.InvariantCulture), actor, name));
            }
            catch (Exception e) when (e is FormatException or System.Text.Json.JsonException or OverflowException)
            {
                // Refused below.
            }

            throw new IntrospectionException(IntrospectionRefusal.Invalid, "after is not the cursor of a page.");
        }

        public override string ToString() =>
            Convert.ToBase64String(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes((string?[])[Server, Place.Scope.ToString(CultureInfo.InvariantCulture), Place.Actor, Place.Name])).Replace('+', '-').Replace('/', '_');
    }
}
