using System.Buffers.Text;
using System.Globalization;
using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.Bindings.Redis;

/// <summary>
/// <c>bindings.redis</c> (https://docs.dapr.io/reference/components-reference/supported-bindings/redis/): texts under the keys of the request's metadata, with a time to live if it says so.
/// </summary>
internal sealed class RedisBinding(ComponentSpec spec) : IOutputBinding
{
    private const string Space = "binding";
    private IKeyValueServer? _server;

    public IReadOnlyList<string> Operations { get; } = ["create", "delete", "get", "increment"];

    public IReadOnlyList<string> Capabilities { get; } = BindingDirection.IsOutput(spec) ? ["OUTPUT_BINDING"] : [];

    private IKeyValueServer Server => _server ?? throw new InvalidOperationException("the binding is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken) =>
        _server = await KeyValueServers.StandInAsync(spec, RedisAddress.Of(spec), cancellationToken).ConfigureAwait(false);

    public async ValueTask<BindingResponse?> InvokeAsync(BindingRequest request, CancellationToken cancellationToken)
    {
        if (request.Metadata.GetValueOrDefault("key") is not { Length: > 0 } key)
            throw new BindingException("redis binding: missing key in request metadata");
        try
        {
            switch (request.Operation)
            {
                case "create":
                    await WriteAsync(Timed(new KeyValueOperation { Key = key, Value = request.Data }, request, KeyValueTtl.Clear), cancellationToken).ConfigureAwait(false);
                    return null;
                case "delete":
                    await WriteAsync(new KeyValueOperation { Key = key, IsDelete = true }, cancellationToken).ConfigureAwait(false);
                    return null;
                case "get":
                    var take = string.Equals(request.Metadata.GetValueOrDefault("delete"), "true", StringComparison.OrdinalIgnoreCase);
                    return await GetAsync(key, take, cancellationToken).ConfigureAwait(false);
                default:
                    await IncrementAsync(key, request, cancellationToken).ConfigureAwait(false);
                    return null;
            }
        }
        catch (StoreException e)
        {
            throw new BindingException($"redis binding: {e.Message}", inner: e);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static KeyValueOperation Timed(KeyValueOperation operation, BindingRequest request, KeyValueTtl otherwise)
    {
        if (request.Metadata.GetValueOrDefault("ttlInSeconds") is not { Length: > 0 } text)
            return operation with { Ttl = otherwise };
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? operation with { Ttl = KeyValueTtl.Set, TtlMilliseconds = seconds * 1000L }
            : throw new BindingException($"redis binding: invalid ttlInSeconds {text}");
    }

    private async ValueTask<KeyValueStatus> WriteAsync(KeyValueOperation operation, CancellationToken cancellationToken) =>
        (await Server.TransactAsync(Space, [operation], allOrNothing: true, cancellationToken).ConfigureAwait(false))[0].Status;

    private async ValueTask<BindingResponse?> GetAsync(string key, bool take, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await Server.GetAsync(Space, key, cancellationToken).ConfigureAwait(false) is not { } record)
                return null;
            if (!take || await WriteAsync(new KeyValueOperation { Key = key, IsDelete = true, Condition = KeyValueCondition.Value, Expected = record.Value }, cancellationToken).ConfigureAwait(false) == KeyValueStatus.Done)
                return new BindingResponse(record.Value);
        }
    }

    private async ValueTask IncrementAsync(string key, BindingRequest request, CancellationToken cancellationToken)
    {
        while (true)
        {
            var record = await Server.GetAsync(Space, key, cancellationToken).ConfigureAwait(false);
            var count = 0L;
            if (record is not null && (!Utf8Parser.TryParse(record.Value.Span, out count, out var read) || read != record.Value.Length || count == long.MaxValue))
                throw new BindingException("redis binding: ERR value is not an integer or out of range");
            var write = new KeyValueOperation
            {
                Key = key,
                Value = Encoding.UTF8.GetBytes((count + 1).ToString(CultureInfo.InvariantCulture)),
                Condition = record is null ? KeyValueCondition.Absent : KeyValueCondition.Value,
                Expected = record?.Value ?? default,
            };
            if (await WriteAsync(Timed(write, request, KeyValueTtl.Keep), cancellationToken).ConfigureAwait(false) == KeyValueStatus.Done)
                return;
        }
    }
}
