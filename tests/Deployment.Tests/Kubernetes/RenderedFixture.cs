using DaprPlatform.Cli;
using DaprPlatform.Cli.Kubernetes;

namespace DaprPlatform.Deployment.Tests.Kubernetes;

/// <summary>Everything below k8s/, rendered once.</summary>
public sealed class RenderedFixture : IAsyncLifetime
{
    internal Repository Repository { get; } = Repository.Find();

    internal KubernetesTools? Tools { get; private set; }

    internal IReadOnlyList<Rendering> Renderings { get; private set; } = [];

    internal string? Missing { get; private set; }

    public async ValueTask InitializeAsync()
    {
        try
        {
            Tools = await KubernetesTools.PrepareAsync(Repository, static _ => { }, CancellationToken.None);
            Missing = Tools.Missing.Count > 0 ? string.Join("; ", Tools.Missing) : null;
        }
        catch (CommandException e)
        {
            Missing = e.Message;
        }

        if (Missing is null)
            Renderings = await Rendering.AllAsync(Repository, Tools!, CancellationToken.None);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Skips the test where helm, kubectl or the schemas are not to be had.</summary>
    internal IReadOnlyList<Document> Documents(string rendering)
    {
        Need();
        var found = Renderings.Single(r => r.Name == rendering);
        return Document.Parse(found.Text, found.Name);
    }

    internal KubernetesTools Need()
    {
        if (Missing is not null)
            Assert.Skip($"skipped: {Missing}");
        return Tools!;
    }
}
