using System.Globalization;
using System.Text.Json;
using Dapr.Client;
using NSubstitute;

namespace DaprPlatform.Services.Tests.Fixtures;

/// <summary>Dapr state with ETags, in memory. First write wins, and a key that is not there has an empty ETag.</summary>
internal static class FakeState
{
    public static DaprClient Of<T>()
        where T : class
    {
        var rows = new Dictionary<string, (T Value, int Version)>();
        var dapr = Substitute.For<DaprClient>();
        dapr.GetStateAsync<T?>(default!, default!).ReturnsForAnyArgs(call => Read(call.ArgAt<string>(1)).Value);
        dapr.GetStateAndETagAsync<T?>(default!, default!).ReturnsForAnyArgs(call => Read(call.ArgAt<string>(1)));
        dapr.GetBulkStateAsync(default!, default!, default).ReturnsForAnyArgs(call => call.ArgAt<IReadOnlyList<string>>(1).Select(key =>
        {
            var (value, etag) = Read(key);
            return new BulkStateItem(key, value is null ? "" : JsonSerializer.Serialize(value, JsonSerializerOptions.Web), etag);
        }).ToArray());
        dapr.SaveStateAsync<T>(default!, default!, default!).ReturnsForAnyArgs(call =>
        {
            Write(call.ArgAt<string>(1), call.ArgAt<T>(2), null);
            return Task.CompletedTask;
        });
        dapr.TrySaveStateAsync<T>(default!, default!, default!, default!)
            .ReturnsForAnyArgs(call => Write(call.ArgAt<string>(1), call.ArgAt<T>(2), call.ArgAt<string>(3)));
        dapr.DeleteStateAsync(default!, default!).ReturnsForAnyArgs(call =>
        {
            lock (rows)
                rows.Remove(call.ArgAt<string>(1));
            return Task.CompletedTask;
        });
        return dapr;

        (T? Value, string Etag) Read(string key)
        {
            lock (rows)
                return rows.TryGetValue(key, out var row) ? (row.Value, row.Version.ToString(CultureInfo.InvariantCulture)) : (null, "");
        }

        bool Write(string key, T value, string? etag)
        {
            lock (rows)
            {
                var (_, current) = Read(key);
                if (etag is not null && etag != current)
                    return false;
                rows[key] = (value, rows.TryGetValue(key, out var row) ? row.Version + 1 : 1);
                return true;
            }
        }
    }
}
