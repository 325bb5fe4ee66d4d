using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Middleware;

/// <summary>A <c>middleware.http.*</c> component: looks at requests, changes them, or refuses them.</summary>
internal interface IHttpMiddleware : IComponent
{
    /// <summary>Null: the request goes on.</summary>
    ValueTask<MiddlewareRefusal?> HandleAsync(MiddlewareRequest request, CancellationToken cancellationToken);
}

/// <summary>The answer of a handler that does not let a request through.</summary>
internal sealed record MiddlewareRefusal(int Status, string Text);

/// <summary>A request on its way to the API, or to the app.</summary>
internal abstract class MiddlewareRequest
{
    public abstract string Method { get; }

    /// <summary>Percent-encoded, with its leading slash.</summary>
    public abstract string Path { get; }

    /// <summary>Without <c>?</c>.</summary>
    public abstract string Query { get; }

    /// <summary>Of whom the request comes; empty where it is the sidecar's own.</summary>
    public virtual string RemoteAddress => "";

    public abstract string? Header(string name);

    public abstract void Redirect(string path, string query);

    /// <summary>Replaces the body, which is read for it.</summary>
    public abstract ValueTask ReplaceBodyAsync(Func<ReadOnlyMemory<byte>, byte[]> change, CancellationToken cancellationToken);
}

/// <summary>The handlers of a pipeline in their order.</summary>
internal sealed class HttpPipeline(IReadOnlyList<IHttpMiddleware> handlers)
{
    public static HttpPipeline Empty { get; } = new([]);

    public bool IsEmpty => handlers.Count == 0;

    /// <summary>Configuration's <c>httpPipeline</c> or <c>appHttpPipeline</c>; handlers that no component of that name and type provides are left out.</summary>
    public static HttpPipeline Create(JsonObject configuration, string name, ComponentCatalog components)
    {
        var handlers = new List<IHttpMiddleware>();
        foreach (var handler in (configuration.Object(name)?.Array("handlers") ?? []).OfType<JsonObject>())
        {
            if (handler.Text("name") is { } wanted && components.TryGet<IHttpMiddleware>(wanted, out var component) && components.SpecOf(wanted)?.Type == handler.Text("type"))
                handlers.Add(component);
        }

        return handlers.Count == 0 ? Empty : new HttpPipeline(handlers);
    }

    public async ValueTask<MiddlewareRefusal?> RunAsync(MiddlewareRequest request, CancellationToken cancellationToken)
    {
        foreach (var handler in handlers)
        {
            if (await handler.HandleAsync(request, cancellationToken).ConfigureAwait(false) is { } refusal)
                return refusal;
        }

        return null;
    }
}

/// <summary>A request to the app.</summary>
internal sealed class AppMiddlewareRequest(UpstreamRequest request) : MiddlewareRequest
{
    public UpstreamRequest Request { get; private set; } = request;

    public override string Method => Request.Method;

    public override string Path => Request.Target.IndexOf('?', StringComparison.Ordinal) is var query and >= 0 ? Request.Target[..query] : Request.Target;

    public override string Query => Request.Target.IndexOf('?', StringComparison.Ordinal) is var query and >= 0 ? Request.Target[(query + 1)..] : "";

    public override string? Header(string name)
    {
        foreach (var (key, value) in Request.Headers)
        {
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
                return value.ToString();
        }

        return null;
    }

    public override void Redirect(string path, string query) => Request = Request with { Target = query.Length == 0 ? path : $"{path}?{query}" };

    public override async ValueTask ReplaceBodyAsync(Func<ReadOnlyMemory<byte>, byte[]> change, CancellationToken cancellationToken) =>
        Request = Request with { Body = RequestBody.Of(change(await Request.Body.ReadAllAsync(cancellationToken).ConfigureAwait(false))) };
}

/// <summary>The answer where appHttpPipeline kept a request from the app.</summary>
internal sealed class RefusedResponse(MiddlewareRefusal refusal) : UpstreamResponse
{
    private ReadOnlyMemory<byte> _rest = System.Text.Encoding.UTF8.GetBytes(refusal.Text);

    public override int Status => refusal.Status;

    public override IReadOnlyList<KeyValuePair<string, string>> Headers { get; } = [KeyValuePair.Create("Content-Type", "text/plain; charset=utf-8")];

    public override long? ContentLength { get; } = System.Text.Encoding.UTF8.GetByteCount(refusal.Text);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var count = Math.Min(buffer.Length, _rest.Length);
        _rest[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return ValueTask.FromResult(count);
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
