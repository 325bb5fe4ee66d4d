using DaprPlatform.Payments.Data;
using DaprPlatform.Payments.Domain;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.Services.Tests.Fixtures;

public sealed class PaymentsFixture : DatabaseFixture
{
    private protected override void AddService(IServiceCollection services)
    {
        AddDatabase<PaymentsDb>(services);
        services.AddSingleton<ICardProcessor, TestCardProcessor>();
        services.AddSingleton<PaymentMetrics>();
        services.AddScoped<CashDesk>();
        services.AddScoped<Cashier>();
    }
}
