using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Pluggable.Wire;
using DaprPlatform.Sidecar.Secrets;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Pluggable;

/// <summary>A secret store that is a program of its own.</summary>
internal sealed class PluggableSecretStore(ComponentSpec spec, CallInvoker calls) : ISecretStore
{
    private readonly SecretStore.SecretStoreClient _store = new(calls);
    private readonly Metadata _headers = PluggableCalls.Headers(spec);

    public IReadOnlyList<string> Capabilities => [];

    public Task InitAsync(CancellationToken cancellationToken) =>
        PluggableCalls.InitAsync(_store.InitAsync(new SecretStoreInitRequest { Metadata = PluggableCalls.Properties(spec) }, _headers, cancellationToken: cancellationToken));

    public async ValueTask<IReadOnlyDictionary<string, string>?> GetAsync(string name, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var request = new GetSecretRequest { Key = name };
        PluggableCalls.Add(request.Metadata, metadata);
        try
        {
            var answer = await _store.GetAsync(request, _headers, cancellationToken: cancellationToken).ConfigureAwait(false);
            return new Dictionary<string, string>(answer.Data);
        }
        catch (RpcException e)
        {
            throw new SecretNotFoundException(PluggableCalls.Words(e));
        }
    }

    public async ValueTask<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> GetAllAsync(IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var request = new BulkGetSecretRequest();
        PluggableCalls.Add(request.Metadata, metadata);
        try
        {
            var answer = await _store.BulkGetAsync(request, _headers, cancellationToken: cancellationToken).ConfigureAwait(false);
            return answer.Data.ToDictionary(d => d.Key, d => (IReadOnlyDictionary<string, string>)new Dictionary<string, string>(d.Value.Secrets));
        }
        catch (RpcException e)
        {
            throw new SecretNotFoundException(PluggableCalls.Words(e));
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
