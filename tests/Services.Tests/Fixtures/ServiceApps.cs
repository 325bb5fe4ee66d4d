using DaprPlatform.Basket.Domain;
using DaprPlatform.Gateway.Api;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.Orders.Domain;
using DaprPlatform.Payments.Domain;
using DaprPlatform.Users.Domain;
using DaprPlatform.Webhooks.Domain;
using Xunit;

namespace DaprPlatform.Services.Tests.Fixtures;

/// <summary>Every service in C#, and where its folder is.</summary>
internal static class ServiceApps
{
    public static TheoryData<string> Names => ["gateway", "users", "orders", "inventory", "payments", "basket", "webhooks"];

    public static IServiceApp Start(string service) => service switch
    {
        "gateway" => new ServiceApp<RateLimits>(("RATE_LIMIT_PER_SECOND", "0"), ("SIGN_IN_LIMIT_PER_MINUTE", "0")),
        "users" => new ServiceApp<AccountOptions>(),
        "orders" => new ServiceApp<OrderMetrics>(),
        "inventory" => new ServiceApp<StockOptions>(),
        "payments" => new ServiceApp<PaymentMetrics>(),
        "basket" => new ServiceApp<BasketOptions>(),
        "webhooks" => new ServiceApp<WebhookOptions>(),
        _ => throw new ArgumentOutOfRangeException(nameof(service), service, "There is no such service."),
    };

    public static string FolderOf(string service)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "DaprPlatform.slnx")))
            folder = folder.Parent;
        return Path.Combine((folder ?? throw new InvalidOperationException("The tests run outside of their repository.")).FullName, "services", service);
    }

    /// <summary>Compares a document that is checked in with the one of the running service; <c>UPDATE_DOCS=1</c> writes it instead.</summary>
    public static async Task CompareAsync(string service, string file, string actual, CancellationToken cancel)
    {
        var path = Path.Combine(FolderOf(service), file);
        var text = actual.ReplaceLineEndings("\n").TrimEnd() + "\n";
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            await File.WriteAllTextAsync(path, text, cancel);
        Assert.True(File.Exists(path), $"{path} is missing; UPDATE_DOCS=1 writes it.");
        Assert.Equal((await File.ReadAllTextAsync(path, cancel)).ReplaceLineEndings("\n"), text);
    }
}
