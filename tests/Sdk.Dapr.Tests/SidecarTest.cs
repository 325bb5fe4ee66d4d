using Dapr.Client;

namespace DaprPlatform.Sdk.Tests;

/// <summary>A test with a stand-in sidecar and a client of it.</summary>
public abstract class SidecarTest : IAsyncLifetime
{
    private protected RecordingSidecar Sidecar { get; private set; } = null!;

    protected DaprClient Client { get; private set; } = null!;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Sidecar = await RecordingSidecar.StartAsync();
        Client = Sidecar.Client();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Sidecar.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
